"""A teacher's answer is paid for once: what is asked again after a kill, an edit, a fault, in parallel."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from branchmerge.core.errors import InputError, StageError
from branchmerge.core.files import read_rows, write_rows
from branchmerge.core.records import PROMPT, TRACE
from branchmerge.engines.engine import Sampling
from branchmerge.engines.served import write_served
from branchmerge.rowstore.wanted import wanted
from stages import traces
from tests.conftest import ROOT
from tests.server import Running, is_cut, running

OUT = Path("data/traces/sums.parquet")


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Running]]:
    with running() as prompt, running("--latency-s", "0.05") as slow, running("--faulty") as faulty:
        yield {"prompt": prompt, "slow": slow, "faulty": faulty}


class Project:
    """A folder with prompts and a teacher that a server has."""

    def __init__(self, folder: Path, server: Running) -> None:
        self.folder, self.server = folder, server
        self.params: dict[str, Any] = {
            "run": {"seed": 0},
            "traces": {"samples_per_prompt": 1, "temperature": 0.7, "top_p": 1.0, "max_tokens": 100},
            "domains": {"sums": {"traces": {"teacher": "models/teacher"}}},
        }
        self.machine: dict[str, Any] = {
            "traces": {
                "engine": "openai",
                "openai": {
                    "url": server.url,
                    "api": "chat",
                    "concurrency": 8,
                    "timeout_s": 2,
                    "max_attempts": 20,
                    "backoff_s": 0.01,
                },
            }
        }
        (folder / "models/teacher").mkdir(parents=True)
        write_served(folder / "models/teacher", "toy-r1", "1")

    def ask(self, questions: list[str], retry_failed: bool = False) -> list[dict]:
        """Run the stage here; its rows."""
        self.write(questions)
        traces.main("sums", retry_failed)
        return read_rows(OUT, TRACE)

    def write(self, questions: list[str]) -> None:
        YAML().dump(self.params, self.folder / "params.yaml")
        YAML().dump(self.machine, self.folder / "machine.yaml")
        blank = dict.fromkeys(PROMPT.schema.names, "x")
        prompts = [blank | {"prompt_id": f"p{question}", "question": question} for question in questions]
        write_rows(self.folder / "data/prompts/sums.parquet", PROMPT, prompts)

    def start(self) -> subprocess.Popen[str]:
        """Run the stage in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "stages.traces", "--domain", "sums"],
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_side_by_side(self, asked: list[str], count: int) -> list[tuple[int, str]]:
        """Run the stage in so many processes at once; the exit code and the errors of each."""
        self.write(asked)
        runs = [self.start() for _ in range(count)]
        errors = [run.communicate(timeout=60)[1] for run in runs]
        return [(run.returncode, error) for run, error in zip(runs, errors, strict=True)]

    def new_calls(self, questions: list[str]) -> int:
        """Calls that a run costs."""
        before = self.server.counts()["calls"]
        self.ask(questions)
        return self.server.counts()["calls"] - before


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: dict[str, Running]) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, servers["prompt"])


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, servers: dict[str, Running]) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, servers["faulty"])


def questions(name: str, count: int) -> list[str]:
    return [f"{name} {number}" for number in range(count)]


def test_an_answer_is_a_trace_with_its_parts(project: Project):
    (row,) = project.ask(["parts"])

    assert row["response"] == "<think>\nhm\n</think>\nI was asked parts"
    assert (row["reasoning"], row["answer"]) == ("hm", "I was asked parts")
    assert (row["finish_reason"], row["error"]) == ("stop", None)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (10, 20)
    assert row["teacher"].startswith("teacher@")


def test_the_first_prompt_is_shown_before_anything_is_paid_for(project: Project, capsys: pytest.CaptureFixture[str]):
    project.params["traces"]["system"] = "Think."
    project.ask(["shown"])

    assert "first prompt of traces sums:\nsystem: Think.\nuser: shown" in capsys.readouterr().err


class TestNothingIsAskedTwice:
    def test_a_second_run_asks_nothing(self, project: Project):
        assert project.new_calls(questions("again", 20)) == 20
        assert project.new_calls(questions("again", 20)) == 0

    def test_an_edited_prompt_costs_one_call(self, project: Project):
        project.ask(questions("edit", 20))

        assert project.new_calls([*questions("edit", 19), "edited"]) == 1

    def test_more_samples_cost_only_the_new_ones(self, project: Project):
        project.params["traces"]["samples_per_prompt"] = 4
        assert project.new_calls(questions("samples", 5)) == 20
        project.params["traces"]["samples_per_prompt"] = 8
        assert project.new_calls(questions("samples", 5)) == 20

    @pytest.mark.parametrize(
        "change",
        [{"temperature": 0.8}, {"top_p": 0.9}, {"max_tokens": 99}, {"stop": ["x"]}, {"system": "s"}],
        ids=lambda change: next(iter(change)),
    )
    def test_other_sampling_is_asked_anew(self, project: Project, change: dict):
        name = f"sampling {change}"
        project.ask(questions(name, 5))
        project.params["traces"] |= change

        assert project.new_calls(questions(name, 5)) == 5

    def test_another_revision_of_the_teacher_is_asked_anew(self, project: Project):
        project.ask(questions("revision", 5))
        write_served(project.folder / "models/teacher", "toy-r1", "2")

        assert project.new_calls(questions("revision", 5)) == 5

    @pytest.mark.parametrize("change", [{"concurrency": 2}, {"timeout_s": 9}], ids=lambda change: next(iter(change)))
    def test_settings_of_the_engine_ask_nothing(self, project: Project, change: dict):
        name = f"engine {change}"
        project.ask(questions(name, 5))
        project.machine["traces"]["openai"] |= change

        assert project.new_calls(questions(name, 5)) == 0

    def test_the_name_of_a_row_never_changes(self):
        """A new name for the same request would have every user pay again."""
        sampling = Sampling(temperature=0.7, top_p=1, max_tokens=96)
        (row,) = wanted(iter([{"question": "What is 1+1?", "prompt_id": "p"}]), "t@1", sampling, 0, 1)

        assert row.trace_id == "c118a440fee320c2e60e"

    @pytest.mark.slow
    def test_after_a_kill_only_what_was_under_way_is_asked_again(self, servers: dict, project: Project):
        project.server = servers["slow"]
        project.machine["traces"]["openai"] |= {"url": project.server.url, "concurrency": 16}
        asked = questions("kill", 1000)
        project.write(asked)
        others = project.server.counts()["calls"]
        run = project.start()
        while project.server.counts()["calls"] - others < 300:
            assert run.poll() is None
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        time.sleep(0.2)  # calls of the dead that the server still works on
        before = project.server.counts()["calls"] - others

        rows = project.ask(asked)

        assert 300 <= before < 1000
        assert len(rows) == 1000
        assert {row["prompt_id"] for row in rows} == {f"p{question}" for question in asked}
        assert project.server.counts()["calls"] - others <= 1000 + 16
        assert project.server.counts()["most_calls_a_row"] <= 2

    @pytest.mark.slow
    def test_parallel_experiments_ask_each_row_once(self, servers: dict, project: Project):
        project.server = servers["slow"]
        project.machine["traces"]["openai"]["url"] = project.server.url
        before = project.server.counts()["calls"]

        for code, error in project.run_side_by_side(questions("parallel", 200), 2):
            assert code == 0, error
        assert project.server.counts()["calls"] - before == 200
        assert len(read_rows(OUT, TRACE)) == 200


class TestFaults:
    def test_a_bad_server_costs_retries_and_no_row(self, faulty: Project):
        rows = faulty.ask(questions("fault", 300))

        assert len(rows) == 300
        cut = {f"p{question}" for question in questions("fault", 300) if is_cut(question)}
        assert cut
        assert {row["prompt_id"] for row in rows if row["finish_reason"] == "length"} == cut
        assert {row["finish_reason"] for row in rows} == {"stop", "length"}
        counts = faulty.server.counts()
        assert counts["calls"] > 1.3 * 300  # the server did misbehave
        assert counts["most_under_way"] <= 8

    def test_a_server_is_left_alone_as_long_as_it_asks(self, faulty: Project):
        faulty.machine["traces"]["openai"]["backoff_s"] = 0
        start = time.monotonic()
        (row,) = faulty.ask(["busy"])

        assert row["finish_reason"] == "stop"
        assert time.monotonic() - start >= 1

    @pytest.mark.parametrize(
        ("question", "finish_reason", "error"),
        [
            ("always garbage", "malformed", "JSONDecodeError"),
            ("always 500", "error", "500 broken"),
            ("too long", "error", "400"),
            ("refuse", "refused", None),
            ("say nothing", "empty", None),
            ("parts", "malformed", "TypeError"),
        ],
    )
    def test_an_answer_that_is_none_is_a_row_with_its_reason(
        self, faulty: Project, question: str, finish_reason: str, error: str | None
    ):
        faulty.params["traces"] |= {"max_failed_ratio": 1}
        faulty.machine["traces"]["openai"]["max_attempts"] = 2
        (row,) = faulty.ask([question])

        assert row["finish_reason"] == finish_reason
        assert (row["error"] or "").startswith(error or "")
        assert (row["error"] is None) == (error is None)

    def test_an_answer_without_a_finish_reason_is_paid_once(self, faulty: Project):
        before = faulty.server.counts()["calls"]
        (row,) = faulty.ask(["no finish reason"])

        assert (row["finish_reason"], row["answer"]) == ("stop", "I was asked no finish reason")
        assert faulty.server.counts()["calls"] == before + 1

    def test_a_row_that_failed_is_asked_again_only_on_demand(self, faulty: Project):
        faulty.params["traces"] |= {"max_failed_ratio": 1}
        faulty.machine["traces"]["openai"]["max_attempts"] = 2
        faulty.ask(["always 500 b"])

        before = faulty.server.counts()["calls"]
        faulty.ask(["always 500 b"])
        assert faulty.server.counts()["calls"] == before
        faulty.ask(["always 500 b"], retry_failed=True)
        assert faulty.server.counts()["calls"] == before + 2

    def test_half_an_emoji_is_kept_as_a_question_mark(self, faulty: Project):
        (row,) = faulty.ask(["half an emoji"])

        assert row["response"] == "so ?"

    @pytest.mark.parametrize(
        ("question", "response"),
        [
            ("apart", "<think>\nhm\n</think>\n7"),
            ("apart cut", "<think>\nhm"),
            ("opened unseen", "<think>\nhm\n</think>\n7"),
        ],
    )
    @pytest.mark.parametrize("prefill", ["", "<think>\n"])
    def test_reasoning_is_in_the_response_once(self, faulty: Project, question: str, response: str, prefill: str):
        faulty.params["traces"]["prefill"] = prefill
        (row,) = faulty.ask([question])

        assert row["response"] == response
        assert row["reasoning"] == ("hm" if "cut" not in question else None)

    def test_rows_under_way_are_kept_when_too_many_fail(self, faulty: Project):
        faulty.machine["traces"]["openai"]["max_attempts"] = 1
        asked = [f"always 500 {number}" for number in range(40)]
        before = faulty.server.counts()["calls"]

        with pytest.raises(StageError, match="rows to fail"):
            faulty.ask(asked)
        paid = faulty.server.counts()["calls"] - before
        assert paid <= 16
        with pytest.raises(StageError, match=f"got {paid}, such as"):
            faulty.ask(asked)
        assert faulty.server.counts()["calls"] - before == paid

    @pytest.mark.parametrize("url", ["no-scheme:9/v1", "http://"])
    def test_an_address_that_is_none_stops_at_once(self, project: Project, url: str):
        project.machine["traces"]["openai"]["url"] = url

        with pytest.raises(InputError, match=r"machine\.yaml.*url"):
            project.ask(["hello"])

    def test_an_unpaid_account_stops_at_once(self, faulty: Project):
        with pytest.raises(InputError, match="402"):
            faulty.ask(["unpaid"])

    def test_too_many_failures_stop_the_stage_and_name_one(self, faulty: Project):
        faulty.machine["traces"]["openai"]["max_attempts"] = 1

        with pytest.raises(StageError, match=r"at most 1.00% of 2 rows to fail, got 1, such as \w+: 500 broken"):
            faulty.ask(["refuse me", "always 500 c"])
        assert not OUT.exists()

    def test_no_server_stops_the_stage(self, project: Project):
        project.machine["traces"]["openai"] |= {"url": "http://127.0.0.1:9/v1", "max_attempts": 2}

        with pytest.raises(StageError, match="Start the server"):
            project.ask(["hello"])

    def test_a_wrong_address_stops_at_once(self, project: Project):
        project.machine["traces"]["openai"]["url"] = project.server.url.replace("/v1", "/v2")

        with pytest.raises(InputError, match="404"):
            project.ask(["hello"])

    def test_a_missing_key_is_named(self, project: Project):
        project.machine["traces"]["openai"]["api_key_env"] = "NO_SUCH_KEY"

        with pytest.raises(InputError, match="Export NO_SUCH_KEY"):
            project.ask(["hello"])


class TestBudget:
    @pytest.mark.parametrize(
        "limit",
        [
            {"max_tokens_total": 2000},
            {"max_cost_usd": 0.04, "prompt_usd_per_million": 10, "completion_usd_per_million": 55},
        ],
        ids=lambda limit: next(iter(limit)),
    )
    def test_it_stops_before_it_is_overdrawn_and_goes_on_when_raised(self, project: Project, limit: dict):
        asked = questions(f"budget {limit}", 100)  # 30 tokens a row, 0.0012 USD
        project.machine["traces"]["openai"]["max_attempts"] = 1
        project.params["traces"] |= limit
        before = project.server.counts()["calls"]

        with pytest.raises(StageError, match="the answers are kept"):
            project.ask(asked)
        paid = project.server.counts()["calls"] - before
        assert 0 < 30 * paid <= 2000
        assert not OUT.exists()
        with pytest.raises(StageError, match="the answers are kept"):
            project.ask(asked)
        assert project.server.counts()["calls"] - before == paid

        project.params["traces"] |= {key: 10 * value for key, value in limit.items() if key.startswith("max")}
        assert len(project.ask(asked)) == 100
        assert project.server.counts()["calls"] - before == 100

    def test_what_the_rows_cost_is_reported(self, project: Project):
        project.ask(questions("cost", 3))

        cost = json.loads(Path("reports/cost/traces-sums.json").read_text())
        assert (cost["rows"], cost["asked"], cost["tokens"]) == (3, 3, 60)

    @pytest.mark.slow
    def test_processes_side_by_side_keep_it_together(self, servers: dict, project: Project):
        project.server = servers["slow"]
        project.params["traces"] |= {"max_tokens_total": 4000}
        project.machine["traces"]["openai"]["max_attempts"] = 1
        project.machine["traces"]["openai"]["url"] = project.server.url
        before = project.server.counts()["calls"]

        for code, error in project.run_side_by_side(questions("together", 300), 3):
            assert code == 2
            assert "the answers are kept" in error
        assert 2000 < 30 * (project.server.counts()["calls"] - before) <= 4000

    def test_attempts_that_may_fail_are_set_aside_too(self, faulty: Project):
        """A row of three calls costs 90 tokens, and may cost three worst cases of nearly 400."""
        faulty.params["traces"] |= {"max_failed_ratio": 1, "max_tokens_total": 1000}
        faulty.machine["traces"]["openai"]["max_attempts"] = 3
        before = faulty.server.counts()["calls"]

        with pytest.raises(StageError, match="the next may not fit"):
            faulty.ask(["parts"])
        assert faulty.server.counts()["calls"] == before
        faulty.params["traces"]["max_tokens_total"] = 1300
        assert len(faulty.ask(["parts"])) == 1

    def test_an_answer_that_could_not_be_used_was_paid_for_too(self, faulty: Project):
        faulty.params["traces"] |= {"max_failed_ratio": 1}
        faulty.machine["traces"]["openai"]["max_attempts"] = 3
        (row,) = faulty.ask(["parts"])

        assert row["finish_reason"] == "malformed"
        assert (row["prompt_tokens"], row["completion_tokens"]) == (30, 60)


def test_greedy_answers_are_not_sampled_twice(project: Project):
    project.params["traces"] |= {"temperature": 0, "samples_per_prompt": 2}

    with pytest.raises(InputError, match="since greedy answers are all alike"):
        project.ask(["hello"])


def test_an_engine_without_its_section_is_refused(project: Project):
    del project.machine["traces"]["openai"]

    with pytest.raises(InputError, match=r"machine.yaml:.*a section openai with the server's url"):
        project.ask(["hello"])


@pytest.mark.parametrize("argument", ["dtype", "quantization", "seed"])
def test_a_machine_cannot_change_what_is_asked_for(project: Project, argument: str):
    project.machine["traces"]["vllm"] = {argument: 1}

    with pytest.raises(InputError, match=f"without {argument}: what is asked for stands in params.yaml"):
        project.ask(["hello"])


def test_another_model_than_the_teacher_is_refused(project: Project):
    project.machine["traces"]["openai"]["model"] = "another"

    with pytest.raises(InputError, match="expected toy-r1, the model of models/teacher, got another"):
        project.ask(["hello"])


def test_traces_of_an_older_version_are_passed_over(project: Project, capsys: pytest.CaptureFixture[str]):
    write_rows(OUT, PROMPT, [])

    assert len(project.ask(["older"])) == 1
    assert "the last traces are not used" in capsys.readouterr().err


def test_a_served_teacher_needs_the_engine_openai(project: Project):
    project.machine["traces"]["engine"] = "vllm"

    with pytest.raises(InputError, match="only served elsewhere"):
        project.ask(["hello"])
