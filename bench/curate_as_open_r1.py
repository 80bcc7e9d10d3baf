"""The rules of bench/curate as a script over `datasets` writes them, row by row in Python.

Decontamination is that of open-r1's scripts/decontaminate.py: texts normalised, 8-grams of the benchmark in a
dictionary, each prompt's 8-grams looked up.
"""

import re
import sys
import unicodedata
from collections import Counter, defaultdict
from typing import Any

from bench.traces_like_openr1 import RULES

_PROCESSES = 2
_THOUGHT = re.compile(r"\s*(<think>)?(.*?)</think>(.*)", re.DOTALL)


def main(domain: str) -> None:
    """Filter one domain and write its SFT set."""
    from datasets import Dataset

    read = {
        name: Dataset.from_parquet(f"data/{name}/{domain}.parquet")
        for name in ("prompts", "traces", "verdicts", "counts")
    }
    benchmark = Dataset.from_parquet(f"data/benchmarks/{domain}.parquet")["question"]
    lookup: dict[str, set[int]] = defaultdict(set)
    for number, question in enumerate(benchmark):
        for gram in _grams(_normal(question), RULES["contamination_words"]):
            lookup[gram].add(number)
    prompts = read["prompts"].map(
        lambda row: {"contaminated": any(gram in lookup for gram in _grams(_normal(row["question"]), 8))},
        num_proc=_PROCESSES,
    )
    questions = {row["prompt_id"]: row["question"] for row in prompts if not row["contaminated"]}
    verdicts = dict(zip(read["verdicts"]["trace_id"], read["verdicts"]["verdict"], strict=True))
    n_tokens = dict(zip(read["counts"]["trace_id"], read["counts"]["n_tokens"], strict=True))
    right, judged = Counter[str](), Counter[str]()
    for trace_id, prompt_id in zip(read["traces"]["trace_id"], read["traces"]["prompt_id"], strict=True):
        right[prompt_id] += verdicts[trace_id] == "correct"
        judged[prompt_id] += verdicts[trace_id] != "unverifiable"

    def passes(row: Any) -> bool:
        prompt_id, length = row["prompt_id"], n_tokens[row["trace_id"]]
        return (
            prompt_id in questions
            and verdicts[row["trace_id"]] == "correct"
            and row["finish_reason"] == "stop"
            and RULES["min_tokens"] <= length <= RULES["max_tokens"]
            and right[prompt_id] >= RULES["min_pass_rate"] * judged[prompt_id]
        )

    traces = read["traces"].map(
        lambda row: {"passes": passes(row), "is_clean": all(rule(row["response"] or "") for rule in TEXT_RULES)},
        num_proc=_PROCESSES,
    )
    seen: set[tuple[str, int]] = set()
    taken = Counter[str]()

    def first(row: Any) -> bool:
        key = row["prompt_id"], hash(row["response"])
        if not (row["passes"] and row["is_clean"]) or key in seen or taken[row["prompt_id"]] >= 1:
            return False
        seen.add(key)
        taken[row["prompt_id"]] += 1
        return True

    kept = traces.filter(first)
    kept = kept.map(
        lambda row: {
            "messages": [
                {"role": "user", "content": questions[row["prompt_id"]]},
                {"role": "assistant", "content": row["response"]},
            ]
        },
        remove_columns=kept.column_names,
        num_proc=_PROCESSES,
    )
    kept.to_parquet(f"{domain}.parquet")
    print(f"{len(traces)} traces in, {len(kept)} kept")


def _normal(text: str) -> str:
    text = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return re.sub(r"\s+", " ", re.sub(r"[^\w\s]", " ", text)).strip()


def _grams(text: str, size: int) -> set[str]:
    words = text.split()
    return {" ".join(words[i : i + size]) for i in range(len(words) - size + 1)}


def _thinks(response: str) -> bool:
    found = _THOUGHT.fullmatch(response)
    return bool(found and found[2].strip() and found[3].strip() and "</think>" not in found[3])


def _is_latin(response: str) -> bool:
    foreign = sum(1 for c in response if ord(c) > 0x24F and c.isalpha() and "GREEK" not in unicodedata.name(c, ""))
    return foreign <= RULES["max_foreign_ratio"] * len(response)


def _is_varied(response: str) -> bool:
    sentences = response.replace("\n", ".").split(".")
    return 1 - len(set(sentences)) / len(sentences) <= RULES["max_repeated_ratio"]


def _is_free(response: str) -> bool:
    words = response[-2000:].split()[-100:]
    return len(words) < 100 or len(set(words)) >= RULES["min_distinct_ratio"] * 100


TEXT_RULES = (_thinks, _is_latin, _is_varied, _is_free)

if __name__ == "__main__":
    main(sys.argv[1])
