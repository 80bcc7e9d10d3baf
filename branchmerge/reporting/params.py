"""How the report states what it saw, as params.yaml says it."""

from pydantic import Field

from branchmerge.core.params import Params


class ReportParams(Params):
    """How the report states what it saw.

    Args:
        confidence: Of the intervals, 0.95 for 95 %.
        baseline: The model that others are compared with, question by question.
    """

    sections = ("report",)

    confidence: float = Field(gt=0.5, lt=1)
    baseline: str
