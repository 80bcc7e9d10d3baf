"""Right answers with one thing changed: a digit, a sign, a unit, a letter. None of them says what the answer says."""

import re
from collections.abc import Iterable, Iterator

_UNITS = (
    r"meters?|metres?|miles?|feet|inches|dollars|cents|degrees|hours?|minutes?|days|pounds|grams|cm|mm|km|kg|ft|m|s|g"
)
_UNIT = re.compile(rf"(?<=[\d\s{{}}])(?:{_UNITS})(?![A-Za-z])")


def other_digit(answer: str) -> str:
    """The first digit that is not 0, one higher."""
    return re.sub(r"[1-9]", lambda digit: str(int(digit[0]) % 9 + 1), answer, count=1)


def other_last_digit(answer: str) -> str:
    """The last digit, one higher; of a decimal number, which may be rounded, the one in front of its point."""
    found = re.search(r"\d(?=\D*$)", re.sub(r"\.\d+", lambda decimals: "." + "_" * (len(decimals[0]) - 1), answer))
    if found is None:
        return answer
    return f"{answer[: found.start()]}{(int(found[0]) + 1) % 10}{answer[found.end() :]}"


def other_sign(answer: str) -> str:
    """The first number that is not 0, with the other sign."""
    found = re.search(r"(?<![\d.,])(-\s?)?(?=[0.]*[1-9])", answer)
    if found is None:
        return answer
    return answer[: found.start()] + ("" if found[1] else "-") + answer[found.end() :]


def other_letter(answer: str) -> str:
    """The first letter, the next of the alphabet but one instead: j may be i, k is neither."""

    def later(letter: re.Match[str]) -> str:
        return "c" if letter[0] in "yzYZ" else chr(ord(letter[0]) + 2)

    return re.sub(r"(?<![\\A-Za-z])[A-Za-z]", later, answer, count=1)


def other_unit(answer: str) -> str:
    """The unit behind a number, as one of another kind."""
    return _UNIT.sub(lambda unit: "volts" if unit[0] != "volts" else "grams", answer, count=1)


MUTATIONS = (other_digit, other_last_digit, other_sign, other_letter, other_unit)


def mutants(golds: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each gold answer changed in each way that changes it, and the gold answer; each pair once."""
    for gold in dict.fromkeys(golds):
        for changed in dict.fromkeys(mutate(gold) for mutate in MUTATIONS):
            if changed.strip() not in (gold.strip(), ""):
                yield changed, gold
