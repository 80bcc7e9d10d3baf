"""The rules of bench/curate as scripts over `datasets` write them: one filter after another, row by row in Python.

Decontamination is that of open-r1's scripts/decontaminate.py: texts normalised, 8-grams of each benchmark in a
dictionary; then for one benchmark after another a map that looks up each row's 8-grams and adds a column, and a filter.
"""

import re
import sys
import unicodedata
from collections import Counter, defaultdict
from typing import Any

from bench.traces_like_openr1 import BENCHMARKS, RULES

_PROCESSES = 2
_THOUGHT = re.compile(r"\s*(<think>)?(.*?)</think>(.*)", re.DOTALL)


def main(domain: str) -> None:
    """Filter one domain and write its SFT set."""
    from datasets import Dataset

    read = {
        name: Dataset.from_parquet(f"data/{name}/{domain}.parquet")
        for name in ("prompts", "traces", "verdicts", "counts")
    }
    questions = dict(zip(read["prompts"]["prompt_id"], read["prompts"]["question"], strict=True))

    verdicts = dict(zip(read["verdicts"]["trace_id"], read["verdicts"]["verdict"], strict=True))
    n_tokens = dict(zip(read["counts"]["trace_id"], read["counts"]["n_tokens"], strict=True))
    right, judged = Counter[str](), Counter[str]()
    for trace_id, prompt_id in zip(read["traces"]["trace_id"], read["traces"]["prompt_id"], strict=True):
        right[prompt_id] += verdicts[trace_id] == "correct"
        judged[prompt_id] += verdicts[trace_id] != "unverifiable"

    n_traces = len(read["traces"])
    traces = _decontaminated(read["traces"], questions)
    for rule in (
        lambda row: row["finish_reason"] == "stop",
        lambda row: verdicts[row["trace_id"]] == "correct",
        lambda row: RULES["min_tokens"] <= n_tokens[row["trace_id"]] <= RULES["max_tokens"],
        lambda row: right[row["prompt_id"]] >= RULES["min_pass_rate"] * judged[row["prompt_id"]],
        lambda row: _thinks(row["response"]),
        lambda row: _is_latin(row["response"]),
        lambda row: _is_varied(row["response"]),
        lambda row: _is_free(row["response"]),
    ):
        traces = traces.filter(rule, num_proc=_PROCESSES)
    seen: set[tuple[str, int]] = set()
    taken = Counter[str]()

    def first(row: Any) -> bool:
        key = row["prompt_id"], hash(row["response"])
        if key in seen or taken[row["prompt_id"]] >= RULES["max_traces_per_prompt"]:
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
    print(f"{n_traces} traces in, {len(kept)} kept")


def _decontaminated(traces: Any, questions: dict[str, str]) -> Any:
    from datasets import Dataset

    columns = []
    for name in BENCHMARKS:
        lookup: dict[str, set[int]] = defaultdict(set)
        for number, question in enumerate(Dataset.from_parquet(f"data/benchmarks/{name}.parquet")["question"]):
            for gram in _grams(_normal(question), RULES["contamination_words"]):
                lookup[gram].add(number)

        def find_contaminated(row: Any, name: str = name, lookup: dict[str, set[int]] = lookup) -> Any:
            grams = _grams(_normal(questions[row["prompt_id"]]), RULES["contamination_words"])
            row[f"contaminated_{name}"] = any(gram in lookup for gram in grams)
            return row

        traces = traces.map(find_contaminated, num_proc=_PROCESSES)
        columns.append(f"contaminated_{name}")
    for column in columns:
        traces = traces.filter(lambda row, column=column: not row[column], num_proc=_PROCESSES)
    return traces.remove_columns(columns)


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
    return bool(foreign <= RULES["max_foreign_ratio"] * len(response))


def _is_varied(response: str) -> bool:
    sentences = response.replace("\n", ".").split(".")
    return bool(1 - len(set(sentences)) / len(sentences) <= RULES["max_repeated_ratio"])


def _is_free(response: str) -> bool:
    words = response[-2000:].split()[-100:]
    return len(words) < 100 or len(set(words)) >= RULES["min_distinct_ratio"] * 100


if __name__ == "__main__":
    main(sys.argv[1])
