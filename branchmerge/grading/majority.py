"""Where nobody knows the right answer: the one that most answers to the same question agree on."""

from collections.abc import Callable, Sequence

from pydantic import Field, PositiveInt

from branchmerge.core.params import Params
from branchmerge.grading.grade import Grade


class MajorityParams(Params):
    """How many answers must agree.

    Args:
        min_votes: Fewest answers that agree.
        min_share: Smallest share of all answers to the question that agree.
    """

    min_votes: PositiveInt
    min_share: float = Field(gt=0, le=1)


def grades(answers: Sequence[str | None], same: Callable[[str, str], bool], params: MajorityParams) -> list[Grade]:
    """A verdict on each answer to one question: correct where it is the most frequent one.

    No answer is wrong and no vote. Two most frequent ones, or too few votes, leave all unverifiable.

    Args:
        same: Whether an answer is the same as another.
    """
    groups: list[list[int]] = []
    for place, answer in enumerate(answers):
        if not answer:
            continue
        group = next((group for group in groups if same(answer, answers[group[0]] or "")), None)
        if group is None:
            groups.append([place])
        else:
            group.append(place)
    groups.sort(key=len, reverse=True)
    n_answers = sum(map(len, groups))
    winners = groups[0] if groups else []
    reason = f"{len(winners)} of {n_answers} answers agree"
    is_tied = len(groups) > 1 and len(groups[1]) == len(winners)
    is_decided = len(winners) >= max(params.min_votes, params.min_share * n_answers) and winners and not is_tied
    return [
        Grade("wrong", "no answer", "majority")
        if not answer
        else Grade(("correct" if place in winners else "wrong") if is_decided else "unverifiable", reason, "majority")
        for place, answer in enumerate(answers)
    ]
