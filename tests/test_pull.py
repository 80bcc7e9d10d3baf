"""On another machine, pulled traces stand in for the row store: only what is new is asked."""

import json
from pathlib import Path

import pytest

from branchmerge.core.files import read_rows
from branchmerge.core.records import TRACE
from branchmerge.sources.problems import split_of
from tests.nano.build import change, create, run
from tests.server import running

TRACES = "data/traces/math.parquet"
COUNT = 40


def write_questions(folder: Path, questions: list[str]) -> None:
    lines = [json.dumps({"question": question, "answer": "1"}) for question in questions]
    (folder / "questions.jsonl").write_text("\n".join(lines) + "\n")


def git(folder: Path, *arguments: str) -> None:
    run(folder, "git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments)


@pytest.mark.slow
def test_on_a_fresh_clone_after_a_pull_one_new_prompt_costs_one_call(tmp_path: Path):
    questions = [f"question {number}" for number in range(COUNT)]
    learnt = [question for question in questions if split_of(question) == "train"]
    new = next(text for number in range(99) if split_of(text := f"new question {number}") == "train")
    with running() as server:

        def serve_the_teacher(params: dict) -> None:
            params["base"]["teacher"] = {"served": {"model": "r1", "revision": "1"}}
            params["traces"]["samples_per_prompt"] = 1
            params["source"]["arithmetic"] |= {
                "path": "questions.jsonl",
                "columns": {"question": "question", "answer": "answer"},
                "max_train_rows": COUNT,
            }

        here, there = create(tmp_path / "here"), tmp_path / "there"
        change(here, serve_the_teacher)
        traces = {"engine": "openai", "openai": {"url": server.url, "api": "chat"}}
        machine = json.dumps({"run": {"threads": 1}, "traces": traces})
        (here / "machine.yaml").write_text(machine)
        write_questions(here, questions)
        run(here, "dvc", "repro", "traces@math")
        assert server.counts()["calls"] == len(learnt)
        run(here, "dvc", "remote", "add", "-d", "shelf", str(tmp_path / "shelf"))
        run(here, "dvc", "push", TRACES)
        git(here, "add", ".")
        git(here, "commit", "-qm", "traces")

        git(tmp_path, "clone", "-q", str(here), str(there))
        (there / "machine.yaml").write_text(machine)
        run(there, "dvc", "pull", TRACES)
        write_questions(there, [*questions, new])
        run(there, "dvc", "repro", "traces@math")

        assert server.counts()["calls"] == len(learnt) + 1
        assert len(read_rows(there / TRACES, TRACE)) == len(learnt) + 1
