"""Generated prompts and traces of the size and shape of OpenR1-Math-220k, with something for every rule."""

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from branchmerge.core.files import content_id, write_rows, write_sorted_tables
from branchmerge.core.records import COUNT, PROMPT, TRACE, VERDICT

RULES: dict[str, Any] = {
    "min_tokens": 50,
    "max_tokens": 16384,
    "require_thought": True,
    "max_foreign_ratio": 0.05,
    "max_repeated_ratio": 0.3,
    "min_distinct_ratio": 0.2,
    "min_pass_rate": 0.1,
    "contamination_words": 8,
    "near_duplicate_similarity": None,  # bench/near_duplicates measures it; open-r1 has none
    "max_traces_per_prompt": 1,
}
# questions in those that open-r1 decontaminates against
BENCHMARKS = {"aime_2024": 30, "aime_2025": 30, "math_500": 500, "gpqa": 198, "lcb": 268}
_TRACES_IN_GROUP = 4096
_LETTERS = np.array(list("etaoinshrdlucmfwypvbgk"))


def write_domain(domain: str, n_prompts: int, sentences_in_trace: int = 190) -> None:
    """Write prompts, benchmarks, traces, verdicts and counts of one domain, two traces a prompt, each of some 18 kB."""
    rng = np.random.default_rng(0)
    words = make_words(rng, 20_000)
    sentences = pa.array([make_sentence(rng, words, 15) for _ in range(min(50_000, 100 * n_prompts))])
    benchmarks = {name: [make_sentence(rng, words, 40) for _ in range(size)] for name, size in BENCHMARKS.items()}
    items = list(chain.from_iterable(benchmarks.values()))
    questions = [make_sentence(rng, words, 45) for _ in range(n_prompts)]
    for number in range(0, n_prompts, 200):  # one in 200 holds a benchmark's question
        questions[number] = f"Task {number}. {items[number % len(items)]} Show your work."
    prompts = [_prompt(domain, question) for question in questions]
    write_rows(Path(f"data/prompts/{domain}.parquet"), PROMPT, prompts)
    for name, questions in (benchmarks | {domain: []}).items():
        write_rows(Path(f"data/benchmarks/{name}.parquet"), PROMPT, [_prompt(name, question) for question in questions])
    n_sentences = rng.integers(sentences_in_trace // 4, sentences_in_trace * 7 // 4, 2 * n_prompts)
    _write_traces(rng, domain, sentences, np.repeat([prompt["prompt_id"] for prompt in prompts], 2), n_sentences)


def make_words(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.array(["".join(rng.choice(_LETTERS, rng.integers(2, 10))) for _ in range(count)])


def make_sentence(rng: np.random.Generator, words: np.ndarray, length: int) -> str:
    chosen = words[np.minimum(rng.zipf(1.3, rng.integers(length // 2, length * 3 // 2)), len(words)) - 1]
    return f"{' '.join(chosen)} {rng.integers(1000)}."


def _prompt(domain: str, question: str) -> dict[str, Any]:
    fields = {"domain": domain, "source": "generated", "licence": "none", "answer": "1", "tests": None, "meta": "{}"}
    return fields | {"prompt_id": content_id(domain, question), "question": question}


def _write_traces(
    rng: np.random.Generator, domain: str, sentences: pa.Array, prompt_ids: np.ndarray, n_sentences: np.ndarray
) -> None:
    count = len(prompt_ids)
    trace_ids = np.sort([content_id(domain, number) for number in range(count)])
    prompt_ids = rng.permutation(prompt_ids)
    verdicts = rng.choice(["correct", "wrong", "unverifiable"], count, p=[0.7, 0.25, 0.05])
    write = {"reason": pa.repeat("", count), "grader": pa.repeat("math", count)}
    table = pa.table({"trace_id": trace_ids, "verdict": verdicts} | write)
    write_sorted_tables(Path(f"data/verdicts/{domain}.parquet"), VERDICT, iter([table.select(VERDICT.schema.names)]))
    counts = pa.table({"trace_id": trace_ids, "n_tokens": n_sentences * 25})
    write_sorted_tables(Path(f"data/counts/{domain}.parquet"), COUNT, iter([counts]))
    starts = range(0, count, _TRACES_IN_GROUP)
    groups = (slice(start, start + _TRACES_IN_GROUP) for start in starts)
    tables = (_traces(rng, sentences, trace_ids[rows], prompt_ids[rows], n_sentences[rows]) for rows in groups)
    write_sorted_tables(Path(f"data/traces/{domain}.parquet"), TRACE, tables)


def _traces(
    rng: np.random.Generator, sentences: pa.Array, trace_ids: Any, prompt_ids: Any, n_sentences: np.ndarray
) -> pa.Table:
    """One group; of 100 traces, 2 repeat themselves, 1 is Chinese, 2 end without an answer, 8 are cut off."""
    count = len(trace_ids)
    offsets = np.concatenate([[0], np.cumsum(n_sentences)]).astype(np.int32)
    drawn = rng.integers(0, len(sentences), offsets[-1])
    kind = rng.random(count)
    loops = np.repeat(kind < 0.02, n_sentences)
    drawn[loops] = drawn[loops] % 7
    thoughts = pc.binary_join(pa.ListArray.from_arrays(offsets, sentences.take(pa.array(drawn))), " ")
    chinese = pa.array((kind >= 0.02) & (kind < 0.03))
    thoughts = pc.if_else(chinese, pc.replace_substring_regex(thoughts, "[aeiou]", "想"), thoughts)
    ends = np.where((kind >= 0.03) & (kind < 0.05), "", "\n</think>\n\\boxed{1}")
    cut = (kind >= 0.05) & (kind < 0.13)
    columns = dict.fromkeys(TRACE.schema.names, pa.nulls(count)) | {
        "trace_id": pa.array(trace_ids),
        "prompt_id": pa.array(prompt_ids),
        "sample_index": pa.array(np.zeros(count, np.int64)),
        "response": pc.binary_join_element_wise("<think>\n", thoughts, pa.array(ends), ""),
        "finish_reason": pa.array(np.where(cut, "length", "stop")),
        "prompt_tokens": pa.array(np.full(count, 60)),
        "completion_tokens": pa.array(n_sentences * 25),
        "teacher": pa.repeat("generated", count),
    }
    return pa.table(columns).cast(TRACE.schema)
