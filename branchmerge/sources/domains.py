"""The names of the build's domains, for stages that must see one come or go but nothing of how it is made."""

import json
from pathlib import Path

from branchmerge.core.errors import InputError

DOMAINS = Path("data/domains.json")


def domains() -> list[str]:
    """All domains, in the order of params.yaml.

    Raises:
        InputError: The stage that writes them did not run.
    """
    if not DOMAINS.is_file():
        raise InputError(
            where=str(DOMAINS), expected="the names of the domains", got="no such file", do="run dvc repro"
        )
    names: list[str] = json.loads(DOMAINS.read_text())
    return names
