"""What curate writes: each kept trace with its own question and facts, the same bytes every time."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.traces_like_openr1 import BENCHMARKS, RULES, write_domain
from branchmerge.core.files import folder_hash, read_rows, write_json, write_rows
from branchmerge.core.records import COUNT, PROMPT, SFT, TRACE, VERDICT
from branchmerge.sources.domains import DOMAINS
from stages.curate import main

PROMPT_ROW = {"domain": "d", "licence": "l", "answer": "1", "tests": None, "meta": "{}"}
TRACE_ROW = dict.fromkeys(TRACE.schema.names) | {"answer": "1", "prompt_tokens": 1, "completion_tokens": 1}


@pytest.mark.parametrize("kept", [set(range(60)), {0}, {59}, {3, 4, 31, 58}])
def test_each_kept_trace_is_written_with_its_own_question_and_facts(
    kept: set[int], project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("stages").symlink_to(project / "stages")
    params = {"curate": {"max_tokens": None, "max_traces_per_prompt": None}}
    Path("params.yaml").write_text(json.dumps(params | {"domains": {"d": {"curate": {}}}}))
    numbers = range(60)
    prompts = [PROMPT_ROW | {"prompt_id": f"p{n}", "source": f"s{n}", "question": f"What is {n}?"} for n in numbers]
    traces = [
        TRACE_ROW | {"trace_id": f"t{n:02}", "prompt_id": f"p{n}", "sample_index": 0, "response": f"It is {n}."}
        for n in numbers
    ]
    judged = [
        {"trace_id": f"t{n:02}", "verdict": "correct" if n in kept else "wrong", "reason": "", "grader": "text"}
        for n in numbers
    ]
    for name, record, rows in (
        ("prompts", PROMPT, prompts),
        ("traces", TRACE, [row | {"finish_reason": "stop", "teacher": "t"} for row in traces]),
        ("verdicts", VERDICT, judged),
        ("counts", COUNT, [{"trace_id": f"t{n:02}", "n_tokens": n} for n in numbers]),
        ("benchmarks", PROMPT, []),
    ):
        write_rows(Path(f"data/{name}/d.parquet"), record, rows)
    pq.write_table(pq.read_table("data/traces/d.parquet"), "data/traces/d.parquet", row_group_size=7)
    write_json(DOMAINS, ["d"])
    main("d")

    assert [
        (row["trace_id"], row["source"], [message["content"] for message in row["messages"]], row["n_tokens"])
        for row in read_rows(Path("data/sft/d.parquet"), SFT)
    ] == [(f"t{n:02}", f"s{n}", [f"What is {n}?", f"It is {n}."], n) for n in sorted(kept)]


@pytest.mark.slow
def test_the_bytes_are_the_same_with_any_number_of_threads(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("stages").symlink_to(project / "stages")
    write_domain("d", 3000, sentences_in_trace=20)  # two row groups, so that threads share them
    sections = {
        "curate": RULES | {"near_duplicate_similarity": 0.7},
        "domains": {name: {"curate": {}} for name in ("d", *BENCHMARKS)},
    }
    Path("params.yaml").write_text(json.dumps(sections))
    write_json(DOMAINS, ["d", *BENCHMARKS])
    hashes = set()
    for threads in (1, 2, 3, 8):
        Path("machine.yaml").write_text(json.dumps({"run": {"threads": threads}}))
        main("d")
        hashes.add(
            tuple(folder_hash(Path(name)) for name in ("data/sft", "data/rejected", "data/hits", "reports/funnel"))
        )

    assert len(hashes) == 1
