"""What tests share: the project's folder, and copies of it to break."""

import shutil
from pathlib import Path

import pytest

from stages.base import Architecture

TINY = Architecture(
    vocab_size=384, hidden_size=64, intermediate_size=64, num_hidden_layers=1, max_position_embeddings=512
)
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A row store of the test's own, never the person's."""
    folder = tmp_path / "store"
    monkeypatch.setenv("BRANCHMERGE_CACHE", str(folder))
    return folder


@pytest.fixture
def project() -> Path:
    """The project's own folder; read only."""
    return ROOT


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """The build without outputs, to be broken."""
    for name in ("stages", "profiles", ".dvc/plots"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path
