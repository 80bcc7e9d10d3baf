"""The stage curate on a question of 1 MB against ten times its time for 100 kB: whether time grows as a text does.

The question stands among the prompts twice, nearly alike, and in a benchmark, so that every comparison meets it.

Run   make bench NAME=long_question
"""

import json
import tempfile
from contextlib import chdir
from pathlib import Path

import numpy as np

from bench.result import TINY, print_result, seconds
from bench.traces_like_openr1 import RULES, make_words
from branchmerge.core.files import write_json, write_rows
from branchmerge.core.params import PARAMS
from branchmerge.core.records import COUNT, PROMPT, TRACE, VERDICT
from branchmerge.sources.domains import DOMAINS
from stages.curate import main as curate

CHARACTERS = 1_000_000
_PROMPT = {"source": "s", "licence": "none", "answer": "1", "tests": None, "meta": "{}"}
_ANSWER = "<think>\nAs it is said.\n</think>\n1"


def main(tiny: bool = TINY) -> None:
    """Print the seconds of a tenth and of the whole; where it is tiny, no result."""
    project, size = Path.cwd(), 10_000 if tiny else CHARACTERS
    domains = {"first": 1_000, "tenth": size // 10, "whole": size}  # the first loads what later ones find loaded
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("stages").symlink_to(project / "stages")
        rules = RULES | {"min_tokens": None, "near_duplicate_similarity": 0.7}
        sections = {"run": {"seed": 0}, "curate": rules, "domains": {name: {"curate": {}} for name in domains}}
        PARAMS.write_text(json.dumps(sections))  # YAML, too
        times_s = {}
        for domain, characters in domains.items():
            _write_domain(domain, characters)
            write_json(DOMAINS, [domain])
            times_s[domain] = seconds(curate, domain)
            print(f"{characters} characters: {times_s[domain]:.2f} s")
    if not tiny:
        print(f"10 times the text takes {times_s['whole'] / times_s['tenth']:.2f} times as long")
        print_result("long_question", times_s["whole"], 10 * times_s["tenth"], "ten times a tenth of the text")


def _write_domain(domain: str, characters: int) -> None:
    """Two prompts that nearly repeat each other, both of them in the domain's benchmark, and a third of its own."""
    rng = np.random.default_rng(0)
    text = " ".join(rng.choice(make_words(rng, 20_000), characters // 2))[:characters]
    questions = {"p0": text, "p1": f"{text} indeed", "p2": "What is three times four?"}
    prompts = [_PROMPT | {"domain": domain, "prompt_id": name, "question": said} for name, said in questions.items()]
    trace = dict.fromkeys(TRACE.schema.names) | {"response": _ANSWER, "finish_reason": "stop", "teacher": "t"}
    numbers = {"sample_index": 0, "prompt_tokens": 1, "completion_tokens": 1}
    traces = [trace | numbers | {"trace_id": f"t{name}", "prompt_id": name} for name in questions]
    verdict = {"verdict": "correct", "reason": "", "grader": "text"}
    for name, record, rows in (
        ("prompts", PROMPT, prompts),
        ("benchmarks", PROMPT, prompts[:1]),
        ("traces", TRACE, traces),
        ("verdicts", VERDICT, [verdict | {"trace_id": row["trace_id"]} for row in traces]),
        ("counts", COUNT, [{"trace_id": row["trace_id"], "n_tokens": 9} for row in traces]),
    ):
        write_rows(Path(f"data/{name}/{domain}.parquet"), record, rows)


if __name__ == "__main__":
    main()
