"""LiveCodeBench's tests, public and private, as code_generation_lite packs them."""

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from branchmerge.core.errors import InputError
from tests import hub
from tests.hub import read_benchmark


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project with the pins, and the hub's cache beside it."""
    monkeypatch.chdir(tmp_path)
    hub.use_cache(tmp_path / "hub", monkeypatch)
    hub.use_pins(Path("sources"))


class TestLiveCodeBench:
    CASES = (("stdin", "1\n", "2\n"), ("stdin", "5\n", "6\n"))

    def row(self, private: str, date: str = "2024-10-05T00:00:00", **changed: Any) -> dict[str, Any]:
        public = [{"input": "0\n", "output": "1\n", "testtype": "stdin"}]
        return {
            "question_content": f"Add one ({date}).",
            "starter_code": "",
            "contest_date": date,
            "public_test_cases": json.dumps(public),
            "private_test_cases": private,
            "metadata": "{}",
        } | changed

    @property
    def cases(self) -> list[dict[str, str]]:
        return [{"input": given, "output": wanted, "testtype": kind} for kind, given, wanted in self.CASES]

    def packed(self, content: Any) -> str:
        """As code_generation_lite has them."""
        return base64.b64encode(zlib.compress(pickle.dumps(content))).decode()

    @pytest.mark.parametrize("is_packed", [False, True])
    def test_private_tests_stand_beside_the_public_ones(self, is_packed: bool):
        private = self.packed(json.dumps(self.cases)) if is_packed else json.dumps(self.cases)
        (found,) = read_benchmark("livecodebench", [self.row(private)])

        tests = json.loads(found["tests"])
        assert tests == {"inputs": ["0\n", "1\n", "5\n"], "outputs": ["1\n", "2\n", "6\n"]}
        assert "reads the input from stdin" in found["question"]

    def test_a_function_is_called_by_its_name(self):
        private = self.packed(json.dumps([{"input": "[1]\n2", "output": "3", "testtype": "functional"}]))
        given = {"metadata": '{"func_name": "total"}', "starter_code": "class Solution: ...", "public_test_cases": "[]"}
        (found,) = read_benchmark("livecodebench", [self.row(private, **given)])

        assert json.loads(found["tests"])["fn_name"] == "total"
        assert "Complete this Python code:\nclass Solution: ..." in found["question"]

    def test_a_window_of_dates_takes_its_problems(self):
        days = ["2024-07-31", "2024-08-01", "2025-02-28", "2025-03-01"]
        rows = [self.row(json.dumps(self.cases), f"{day}T00:00:00") for day in days]
        found = read_benchmark(
            "livecodebench", rows, where="contest_date >= '2024-08-01' and contest_date < '2025-03-01'"
        )

        assert [row["question"][9:19] for row in found] == ["2024-08-01", "2025-02-28"]

    @pytest.mark.parametrize(
        ("private", "said"),
        [
            ("[]", "no private tests"),
            (None, "tests without what they should have"),
            ('[{"input": "1"}]', "tests without what they should have: 'output'"),
            ("eJxrYJmay", "cannot be read"),
            (base64.b64encode(zlib.compress(b"no pickle")).decode(), "cannot be read"),
            (base64.b64encode(zlib.compress(pickle.dumps([1]))).decode(), "something else than one text"),
            (base64.b64encode(zlib.compress(pickle.dumps("[]"))[:-3]).decode(), "cut off"),
        ],
        ids=["none", "null", "no output", "cut base64", "no pickle", "a list", "cut zlib"],
    )
    def test_private_tests_that_cannot_be_read_are_refused_by_their_problem(self, private: str | None, said: str):
        with pytest.raises(InputError, match=f"Add one .*{said}"):
            read_benchmark(
                "livecodebench", [self.row(json.dumps(self.cases)), self.row("x") | {"private_test_cases": private}]
            )

    def test_a_pickle_that_would_run_something_runs_nothing(self):
        class Evil:
            def __reduce__(self) -> tuple[Any, ...]:
                return Path.touch, (Path("touched"),)

        with pytest.raises(InputError, match="something else than one text"):
            read_benchmark("livecodebench", [self.row(self.packed(Evil()))])
        assert not Path("touched").exists()

    def test_a_pickle_that_would_take_all_memory_takes_none(self):
        greedy = b"\x80\x04\x8c\x02[]r" + (1 << 31).to_bytes(4, "little") + b"."

        with pytest.raises(InputError, match="something else than one text"):
            read_benchmark("livecodebench", [self.row(base64.b64encode(zlib.compress(greedy)).decode())])

    def test_a_problem_larger_than_duckdb_reads_by_default_is_read(self):
        large = [{"input": "1" * (18 << 20), "output": "2", "testtype": "stdin"}]
        (found,) = read_benchmark("livecodebench", [self.row(json.dumps(large))])

        assert len(json.loads(found["tests"])["inputs"][1]) == 18 << 20
