"""The names of the domains, as later stages see them."""

import json
from pathlib import Path

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.params import PARAMS
from branchmerge.sources.domains import domains
from stages.domains import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write_names(**sections: dict) -> None:
    PARAMS.write_text(json.dumps({"domains": sections}))
    main()


def test_the_names_come_in_the_order_of_params_yaml():
    write_names(science={}, math={}, code={})

    assert domains() == ["science", "math", "code"]


def test_how_a_domain_is_made_does_not_show():
    """So a threshold of one domain does not rerun the stages that name all."""
    write_names(math={"curate": {"max_tokens": 77}}, code={})
    before = Path("data/domains.json").read_bytes()
    write_names(math={"curate": {"max_tokens": 78}}, code={})

    assert Path("data/domains.json").read_bytes() == before


def test_a_domain_that_was_removed_is_gone():
    write_names(math={}, code={})
    write_names(math={})

    assert domains() == ["math"]


def test_names_that_were_never_written_are_asked_for():
    with pytest.raises(InputError, match=r"data/domains\.json: .* Run dvc repro"):
        domains()
