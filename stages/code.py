"""What every stage's code means, and the libraries it uses: so a comment reruns nothing, and a change what can see it.

Reads   branchmerge, stages, constraints.txt
Writes  code/<stage>.json
Params  base, source
Run     python -m stages.code
"""

from branchmerge.core.code import stages, write_code
from branchmerge.core.command import run


def main() -> None:
    """Write the meaning of every stage's code."""
    for stage in stages():
        write_code(stage)


if __name__ == "__main__":
    run(main)
