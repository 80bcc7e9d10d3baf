"""The names of the domains, in their order: so that a domain that came or went is seen by the stages that name all.

Reads   nothing but params.yaml
Writes  data/domains.json
Params  domains
Run     python -m stages.domains
"""

from branchmerge.core.command import run
from branchmerge.core.files import write_json
from branchmerge.core.params import read_section
from branchmerge.sources.domains import DOMAINS


def main() -> None:
    """Write the names of the domains."""
    write_json(DOMAINS, list(read_section("domains")))


if __name__ == "__main__":
    run(main)
