"""Equal files give equal bytes, wherever they are built."""

import json
from pathlib import Path

import pytest

from branchmerge.core.files import folder_hash
from tests.conftest import HASHED, NANO_HASHES
from tests.nano import build


@pytest.mark.slow
def test_two_clean_clones_give_the_same_data_and_models(tmp_path: Path, request: pytest.FixtureRequest):
    """The second clone builds up to the merge; what follows depends on these bytes alone."""
    other = build.create(tmp_path / "clone")
    build.run(other, "dvc", "repro", "merge")

    first: Path = request.getfixturevalue("nano")  # last, so that two processes build the two clones side by side
    assert {name: folder_hash(other / name) for name in HASHED} == json.loads((first / NANO_HASHES).read_text())
