"""Which answers are taken for right, set by set, here and by math_verify; answers per second; time of looping answers.

Data sets are read from DATA (../shared/data): gsm8k, aime_hist_train (MATH), mmlu_stem and rg_eval_traces; without
them, the pairs of the tests alone. Wrong answers that are accepted are printed, and all disagreements are written to
OUTPUT where it is set. math_verify runs in an environment of its own, which the first run makes (bench/peer.py).

Run   make bench NAME=grading            (15 minutes)
"""

import json
import os
import sys
import tempfile
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench import answer_sets
from bench.answer_sets import Pair
from bench.peer import environment, run_peer
from bench.result import TINY, print_result, seconds
from branchmerge.core.command import run_app
from branchmerge.core.params import read_params
from branchmerge.grading import task
from branchmerge.grading.judge import Judge, Question, VerifyParams

DATA = Path(os.environ.get("DATA", "../shared/data"))
OUTPUT = os.environ.get("OUTPUT")
TESTS = Path(__file__).parent.parent / "tests"
WORKERS = 2
_LOOPS = (
    *(
        "\n",
        " ",
        "*",
        "#",
        "```\n",
        "<answer>",
        "$",
        "$x$ ",
        "(",
        "1",
        "1,",
        "1 ",
        "a",
        "wait no ",
        "=",
        "1+1=2=",
        "\\[",
    ),
    *(
        r"\boxed{",
        r"\boxed{5} ",
        "so the answer is 5. ",
        "the answer ",
        "Answer:\n\n",
        " is ",
        r"\frac{",
        r"\text{",
        ";",
    ),
)
_SHORT, _LONG = 20_000, 200_000  # characters


def main(tiny: bool = TINY) -> None:
    """Print the table of both, and the answers per second; where it is tiny, of ours alone and of a few answers."""
    sets = {name: pairs[:200] if tiny else pairs for name, pairs in _sets().items()}
    if not tiny:
        environment("math_verify")
    ours: dict[str, list[bool]] = {}
    ours_s = sum(seconds(lambda name=name: ours.update({name: _ours(sets[name])})) for name in sets)
    total = sum(map(len, sets.values()))
    print(f"{total} answers, {total / ours_s:.0f} a second with {WORKERS} workers")
    if tiny:
        return
    theirs, theirs_s = _theirs(sets)
    _print_table(sets, ours, theirs)
    print(f"200 kB of a looping answer against 20 kB: at most {_slowest_loop():.1f} times the time")
    print_result("grading", ours_s, theirs_s, "math_verify")


def _sets() -> dict[str, list[Pair]]:
    readers: dict[str, tuple[str, Callable[[Path], list[Pair]]]] = {
        "GSM8K, numbers": ("gsm8k/test.jsonl", answer_sets.gsm8k),
        "MATH, expressions": ("aime_hist_train/math.json.gz", answer_sets.mathematics),
        "MMLU, options": ("mmlu_stem/test.jsonl", answer_sets.options),
        "reasoning-gym, answers of models": ("rg_eval_traces/traces.jsonl.gz", answer_sets.answers_of_models),
        "golds with one thing changed": (".", answer_sets.changed_golds),
    }
    sets = {"pairs of the tests": answer_sets.of_the_tests(TESTS)}
    for name, (file, read) in readers.items():
        if DATA.is_dir() and (DATA / file).exists():
            sets[name] = read(DATA / file)
        else:
            print(f"NOT MEASURED, as {DATA / file} is missing: {name}", file=sys.stderr)
    return sets


def _ours(pairs: list[Pair]) -> list[bool]:
    params = read_params(VerifyParams, file=Path("params.yaml"))
    with Judge(params, workers=WORKERS) as judge:
        questions = (Question(pair.answer, pair.gold, None, pair.meta) for pair in pairs)
        return [grade.verdict == "correct" for grade in judge.grade_all(questions)]


def _theirs(sets: dict[str, list[Pair]]) -> tuple[dict[str, list[bool]], float]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.json"
        file.write_text(json.dumps([[pair.answer, pair.gold] for pairs in sets.values() for pair in pairs]))
        result = run_peer("math_verify", file, WORKERS)
    verdicts = iter(result["verdicts"])
    return {name: [next(verdicts) for _ in pairs] for name, pairs in sets.items()}, result["wall_s"]


def _print_table(sets: dict[str, list[Pair]], ours: dict[str, list[bool]], theirs: dict[str, list[bool]]) -> None:
    print("| set | right | accepted by us | by math_verify | wrong | accepted by us | by math_verify |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, pairs in sets.items():
        cells = [name]
        for is_right in (True, False):
            places = [place for place, pair in enumerate(pairs) if pair.is_right == is_right]
            cells.append(str(len(places)))
            cells += [_share([verdicts[name][place] for place in places]) for verdicts in (ours, theirs)]
        print(f"| {' | '.join(cells)} |")
    surprises = [
        {"set": name, "answer": pair.answer, "gold": pair.gold, "is_right": pair.is_right, "accepted": accepted}
        for name, pairs in sets.items()
        for pair, accepted in zip(pairs, ours[name], strict=True)
        if accepted != pair.is_right
    ]
    for surprise in surprises:
        if surprise["accepted"]:
            print(f"accepted: {surprise['answer']!r} for {surprise['gold']!r} ({surprise['set']})")
    if OUTPUT:
        Path(OUTPUT).write_text("".join(json.dumps(surprise) + "\n" for surprise in surprises))


def _share(verdicts: list[bool]) -> str:
    if not verdicts:
        return ""
    share = sum(verdicts) / len(verdicts)
    return f"{100 * share:.1f} %" if any(verdicts) else "0"


def _slowest_loop() -> float:
    """The largest factor between the time of 200 kB and of 20 kB, each the fastest of five, without the worker."""
    rules = read_params(VerifyParams, file=Path("params.yaml")).equality()
    factors = []
    for loop in _LOOPS:
        times_s = []
        for length in (_SHORT, _LONG):
            pair = task.Comparison("We think. " + loop * (length // len(loop)), r"\frac{1}{2}", None, rules)
            times_s.append(min(timeit.repeat(partial(task.compare, pair), number=1, repeat=5)))
        factors.append(times_s[1] / times_s[0])
    return max(factors)


if __name__ == "__main__":
    run_app(main)
