"""Errors a person can act on: what was expected, what came, where, and what to do.

BranchmergeError          everything raised on purpose: one line on stderr, exit code 2
├── InputError            what a person gave cannot be used: params, files, rows, models
└── StageError            the work went wrong in a way the person must decide about
"""


class BranchmergeError(Exception):
    """Root of all errors raised on purpose; the message has four parts.

    Args:
        where: Params path, file:line or row id.
        expected: What would have been right.
        got: What was found instead.
        do: The next thing to try.
    """

    def __init__(self, *, where: str, expected: str, got: str, do: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}. {do[0].upper()}{do[1:]}.")


class InputError(BranchmergeError):
    """What was given cannot be used."""


class StageError(BranchmergeError):
    """A stage's own result cannot be used."""
