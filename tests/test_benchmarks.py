"""The public benchmarks as sources: each mapping on rows of its real schema, and what must not go wrong unseen."""

import base64
import gzip
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, read_rows
from branchmerge.core.records import PROMPT, SOURCE
from branchmerge.grading.judge import Judge
from branchmerge.sources.pins import read_pin
from stages import prompts
from stages.source import main
from tests import hub
from tests.conftest import ROOT
from tests.programs import verify_params

SHARED = ROOT.parent / "shared/data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="NO shared/data BESIDE THE PROJECT: no real benchmark")
TEXTS = pa.list_(pa.string())
TYPES = {"choices": TEXTS, "options": TEXTS, "answer_index": pa.int64(), "test_list": TEXTS, "test_imports": TEXTS}
OPTIONS = [f"option {n}" for n in range(4)]

MATH = {"problem": "What is 6+1?", "answer": "7"}
CHOICE = {"question": "Which?", "choices": OPTIONS, "answer": 2}
HUMAN_EVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def f(x):\n    """Add one."""\n',
    "entry_point": "f",
    "canonical_solution": "    return x + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2",
}
MBPP = {
    "task_id": 2,
    "prompt": "Write a function that adds one.",
    "code": "def f(x): return x + 1",
    "test_imports": ["import math"],
    "test_list": ["assert f(1) == 2", "assert math.floor(f(1)) == 2"],
    "test": "import numpy as np\nassert np.allclose(f(1.0), 2)",
}
# as all of them are, in the columns that count -> the question shows this, and the answer is that
REAL: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "aime-2024": (MATH | {"id": 60}, "What is 6+1?", "7"),
    "aime-2025": (MATH | {"id": "0"}, "What is 6+1?", "7"),
    "math-500": (MATH | {"solution": "", "subject": "Algebra", "level": 2, "unique_id": ""}, "What is 6+1?", "7"),
    "gsm8k": ({"question": "How much?", "answer": "He has <<1000+7=1007>>.\n#### 1,007"}, "How much?", "1007"),
    "humaneval": (HUMAN_EVAL, 'def f(x):\n    """Add one."""', None),
    "humaneval-plus": (HUMAN_EVAL, 'def f(x):\n    """Add one."""', None),
    "mbpp": (MBPP, "It must pass this test:\nassert f(1) == 2", None),
    "mbpp-plus": (MBPP, "It must pass this test:\nassert f(1) == 2", None),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty project with the pins, and the hub's cache beside it."""
    monkeypatch.chdir(tmp_path)
    hub.use_cache(tmp_path / "hub", monkeypatch)
    hub.use_pins(Path("sources"))


def read(
    name: str, rows: list[dict[str, Any]], types: dict[str, pa.DataType] | None = None, **params: Any
) -> list[Row]:
    """The rows of a benchmark that comes of a pin, whose file holds some rows.

    Args:
        params: Over those of its section.
    """
    hub.place(Path("hub"), read_pin(Path(f"sources/{name}.yaml")), rows, TYPES | (types or {}))
    section = {"path": f"sources/{name}.yaml", "max_train_rows": 0, "max_test_rows": 5000} | params
    domain = {"prompts": {"sources": [name]}}
    Path("params.yaml").write_text(
        json.dumps({"run": {"seed": 0}, "source": {name: section}, "domains": {"it": domain}})
    )
    main(name)
    return read_rows(Path(f"data/sources/{name}.parquet"), SOURCE)


def benchmark() -> list[Row]:
    prompts.main("it")
    return read_rows(Path("data/benchmarks/it.parquet"), PROMPT)


@pytest.mark.parametrize("name", REAL)
def test_a_pin_reads_its_data_set(name: str):
    row, question, answer = REAL[name]
    types = {column: pa.int64() for column, value in row.items() if isinstance(value, int)}
    (found,) = read(name, [row], types)

    assert question in found["question"]
    assert found["split"] == "test"
    assert found["licence"]
    assert answer is None or found["answer"] == answer


@pytest.mark.parametrize("name", ["humaneval", "humaneval-plus", "mbpp", "mbpp-plus"])
def test_the_solution_of_a_code_benchmark_passes_its_tests_and_another_does_not(name: str):
    (found,) = read(name, [REAL[name][0]], {"task_id": pa.int64()} if name.startswith("mbpp") else None)
    assert found["answer"] is None  # a program is run, never compared
    with Judge(verify_params()) as judge:
        right, wrong = (
            judge.grade(f"```python\n{program}\n```", None, found["tests"]).verdict
            for program in ("def f(x): return x + 1", "def f(x): return x")
        )

    assert (right, wrong) == ("correct", "wrong")


GPQA = {"Question": "Which, {}?", "Correct Answer": "right {}, indeed"}
GPQA |= {f"Incorrect Answer {n}": f"wrong {n} {{}}" for n in (1, 2, 3)}
CHOICES: dict[str, tuple[dict[str, Any], str]] = {
    "gpqa-diamond": (GPQA | {"Record ID": "rec{}"}, "right {}, indeed"),
    "mmlu-pro": (
        {"question": "Which, {}?", "options": [f"option {n}" for n in range(10)], "answer": "C", "answer_index": 2},
        "option 2",
    ),
    "mmlu-stem": (CHOICE | {"question": "Which, {}?", "subject": "astronomy"}, "option 2"),
}


def numbered(row: dict[str, Any], number: int) -> dict[str, Any]:
    return {name: value.replace("{}", str(number)) if isinstance(value, str) else value for name, value in row.items()}


def options_of(row: Row) -> dict[str, str]:
    """Letter -> text, as the question shows them."""
    options = json.loads(row["choices"])
    shown = [f"{letter}) {option}" for letter, option in zip("ABCDEFGHIJ", options, strict=False)]
    assert row["question"].endswith("\nWhich letter is right?\n" + "\n".join(shown))
    return dict(zip("ABCDEFGHIJ", options, strict=False))


@pytest.mark.parametrize("name", CHOICES)
class TestChoices:
    def read(self, name: str, **params: Any) -> list[Row]:
        row, _ = CHOICES[name]
        types = {"answer": pa.int64()} if name == "mmlu-stem" else None
        return read(name, [numbered(row, number) for number in range(30)], types, **params)

    def test_the_letter_is_that_of_the_right_option(self, name: str):
        rows, (_, right) = self.read(name), CHOICES[name]

        assert len(rows) == 30
        for row in rows:
            number = row["question"].split("?")[0].removeprefix("Which, ")
            assert options_of(row)[row["answer"]] == right.replace("{}", number)

    def test_each_letter_is_right_about_as_often(self, name: str):
        letters = [row["answer"] for row in self.read(name)]

        assert max(letters.count(letter) for letter in letters) <= 16

    def test_the_options_are_stored_with_the_prompt_in_the_order_shown(self, name: str):
        rows = self.read(name)
        shown = {row["question"]: list(options_of(row).values()) for row in rows}

        assert [json.loads(row["meta"])["choices"] for row in benchmark()] == [
            shown[row["question"]] for row in benchmark()
        ]

    def test_another_seed_is_another_order_and_the_same_the_same(self, name: str):
        first, again, other = self.read(name), self.read(name), self.read(name, choices_seed=1)

        assert first == again
        assert {row["question"] for row in first} != {row["question"] for row in other}

    def test_an_answer_is_graded_by_its_letter(self, name: str):
        self.read(name)
        with Judge(verify_params()) as judge:
            for row in benchmark()[:3]:
                wrong = "A" if row["answer"] != "A" else "B"
                grades = [
                    judge.grade(f"Both hold.\nAnswer: {letter}", row["answer"], None, row["meta"]).verdict
                    for letter in (row["answer"], wrong)
                ]
                assert grades == ["correct", "wrong"]


def test_the_order_of_a_question_does_not_depend_on_the_others():
    row, _ = CHOICES["mmlu-pro"]
    (alone,) = read("mmlu-pro", [numbered(row, 7)])
    among = read("mmlu-pro", [numbered(row, number) for number in range(30)])

    assert alone in among


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"options": ["only"]}, "2 to 26 texts as choices"),
        ({"options": None}, "2 to 26 texts as choices"),
        ({"options": ["a", None]}, "2 to 26 texts as choices"),
        ({"options": ["a"] * 27}, "2 to 26 texts as choices"),
        ({"answer_index": 10}, "the place of the right option, 0 to 9"),
        ({"answer_index": None}, "the place of the right option, 0 to 9"),
    ],
    ids=["one option", "none", "an empty one", "too many", "a place too far", "no place"],
)
def test_options_that_cannot_be_asked_are_refused_by_their_question(changed: dict[str, Any], said: str):
    row, _ = CHOICES["mmlu-pro"]

    with pytest.raises(InputError, match=rf"Which, 0.*{said}"):
        read("mmlu-pro", [numbered(row, 0) | changed])


def local(name: str, rows: list[dict[str, Any]], **params: Any) -> list[Row]:
    """Rows of a file of one's own, without a pin."""
    hub.write(Path("own.jsonl"), rows, {})
    section = {"path": "own.jsonl", "licence": "MIT", "max_train_rows": 0, "max_test_rows": 5000} | params
    Path("params.yaml").write_text(json.dumps({"run": {"seed": 0}, "source": {name: section}}))
    main(name)
    return read_rows(Path(f"data/sources/{name}.parquet"), SOURCE)


COLUMNS = {"question": "question", "choices": "choices", "answer": "answer"}


@pytest.mark.parametrize("choices", ["yes,no", '["yes","no"]', {"text": ["yes"]}], ids=["text", "JSON", "struct"])
def test_options_that_are_no_list_are_refused(choices: Any):
    with pytest.raises(InputError, match="2 to 26 texts as choices"):
        local("own", [{"question": "Which?", "choices": choices, "answer": 0}], columns=COLUMNS)


@pytest.mark.parametrize("answer", ["²", "B", "-1"])
def test_a_place_that_is_no_number_is_refused(answer: str):
    with pytest.raises(InputError, match="the place of the right option, 0 to 3"):
        local("own", [{"question": "Which?", "choices": OPTIONS, "answer": answer}], columns=COLUMNS)


def test_a_question_with_two_right_options_is_refused():
    rows = [{"question": "Which?", "choices": OPTIONS, "answer": place} for place in (0, 1)]

    with pytest.raises(InputError, match=r"Which.*one right option"):
        local("own", rows, columns=COLUMNS)


def test_options_that_ready_made_answers_name_stay_in_their_order():
    rows = [{"question": "Which?", "choices": OPTIONS, "answer": 0, "said": "A"}]
    columns = COLUMNS | {"response": "said", "teacher": "'r1'"}

    with pytest.raises(InputError, match="a source without ready-made answers"):
        local("own", rows, columns=columns, choices_seed=0)
    (row,) = local("own", rows, columns=columns)
    assert options_of(row)["A"] == OPTIONS[0]


def test_columns_without_options_leave_the_seed_of_the_pin():
    row, _ = CHOICES["mmlu-pro"]
    (found,) = read("mmlu-pro", [numbered(row, 0)], columns={"question": "question", "answer": "answer"})

    assert (found["question"], found["answer"]) == ("Which, 0?", "C")


def test_a_part_of_a_benchmark_is_refused():
    pin = Path("sources/aime-2025.yaml")
    pin.write_text(pin.read_text() + "n_rows: 2\n")

    with pytest.raises(InputError, match=r"aime-2025\.yaml: expected files of 2 rows in all, got 1"):
        read("aime-2025", [MATH])
    assert len(read("aime-2025", [MATH, MATH | {"problem": "What is 5+2?"}])) == 2


def test_every_benchmark_says_how_many_rows_it_has():
    pins = {file.stem: read_pin(file) for file in (ROOT / "sources").glob("*.yaml")}

    assert [name for name, pin in pins.items() if pin.columns and not pin.n_rows] == []


@pytest.mark.parametrize("files", ["/etc/passwd", "../other/*.parquet", "data/**/x", ""])
def test_files_outside_of_a_data_set_are_refused(files: str):
    pin = Path("sources/aime-2025.yaml")
    pin.write_text(pin.read_text().replace("files: test.jsonl", f"files: {json.dumps(files)}"))

    with pytest.raises(InputError, match="files \\(a pattern\\)"):
        read_pin(pin)


@pytest.mark.parametrize(("name", "column"), [("humaneval", "entry_point"), ("mbpp-plus", "test"), ("gsm8k", "answer")])
def test_a_question_that_lacks_what_it_is_graded_by_has_none(name: str, column: str):
    row = REAL[name][0] | {column: "no mark" if name == "gsm8k" else None}
    types = {key: pa.int64() for key, value in row.items() if isinstance(value, int)}
    (found,) = read(name, [row], types)

    assert (found["answer"], found["tests"]) == (None, None)  # which evaluate refuses


def test_a_folder_of_many_files_is_one_source():
    for number in range(12):
        hub.write(Path(f"many/{number}.jsonl"), [{"q": f"What is {number}?", "a": "1"}], {})
    section = {"path": "many", "licence": "MIT", "max_train_rows": 0, "max_test_rows": 99}
    section |= {"columns": {"question": "q", "answer": "a"}}
    Path("params.yaml").write_text(json.dumps({"run": {"seed": 0}, "source": {"many": section}}))
    main("many")

    assert len(read_rows(Path("data/sources/many.parquet"), SOURCE)) == 12


def test_a_benchmark_with_one_letter_throughout_is_refused():
    rows = [{"question": f"Which, {n}?", "choices": OPTIONS, "answer": 0} for n in range(30)]

    with pytest.raises(InputError, match=r"A throughout\. Set choices_seed"):
        local("own", rows, columns=COLUMNS)
    assert len(local("own", rows, columns=COLUMNS, choices_seed=0)) == 30


def test_an_order_for_a_source_without_options_is_refused():
    with pytest.raises(InputError, match=r"source\.own\.choices_seed: expected a source with columns\.choices"):
        local("own", [{"question": "q", "answer": "a"}], columns={"question": "question"}, choices_seed=0)


def test_a_pin_that_names_no_columns_needs_them_in_params_yaml():
    with pytest.raises(InputError, match=r"source\.openr1-math-220k: expected licence and columns"):
        read("openr1-math-220k", [{"problem": "q"}])


def test_a_condition_of_params_yaml_narrows_the_one_of_the_pin():
    rows = [CHOICE | {"question": f"{of}?", "subject": of} for of in ("astronomy", "college_physics", "virology")]
    found = read("mmlu-stem", rows, {"answer": pa.int64()}, where="subject <> 'astronomy' or true or false")
    narrow = read("mmlu-stem", rows, {"answer": pa.int64()}, where="subject = 'astronomy'")

    assert [row["question"].split("?")[0] for row in found] == ["astronomy", "college_physics"]
    assert [row["question"].split("?")[0] for row in narrow] == ["astronomy"]


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
        (found,) = read("livecodebench", [self.row(private)])

        tests = json.loads(found["tests"])
        assert tests == {"inputs": ["0\n", "1\n", "5\n"], "outputs": ["1\n", "2\n", "6\n"]}
        assert "reads the input from stdin" in found["question"]

    def test_a_function_is_called_by_its_name(self):
        private = self.packed(json.dumps([{"input": "[1]\n2", "output": "3", "testtype": "functional"}]))
        given = {"metadata": '{"func_name": "total"}', "starter_code": "class Solution: ...", "public_test_cases": "[]"}
        (found,) = read("livecodebench", [self.row(private, **given)])

        assert json.loads(found["tests"])["fn_name"] == "total"
        assert "Complete this Python code:\nclass Solution: ..." in found["question"]

    def test_a_window_of_dates_takes_its_problems(self):
        days = ["2024-07-31", "2024-08-01", "2025-02-28", "2025-03-01"]
        rows = [self.row(json.dumps(self.cases), f"{day}T00:00:00") for day in days]
        found = read("livecodebench", rows, where="contest_date >= '2024-08-01' and contest_date < '2025-03-01'")

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
            read("livecodebench", [self.row(json.dumps(self.cases)), self.row("x") | {"private_test_cases": private}])

    def test_a_pickle_that_would_run_something_runs_nothing(self):
        class Evil:
            def __reduce__(self) -> tuple[Any, ...]:
                return Path.touch, (Path("touched"),)

        with pytest.raises(InputError, match="something else than one text"):
            read("livecodebench", [self.row(self.packed(Evil()))])
        assert not Path("touched").exists()

    def test_a_pickle_that_would_take_all_memory_takes_none(self):
        greedy = b"\x80\x04\x8c\x02[]r" + (1 << 31).to_bytes(4, "little") + b"."

        with pytest.raises(InputError, match="something else than one text"):
            read("livecodebench", [self.row(base64.b64encode(zlib.compress(greedy)).decode())])

    def test_a_problem_larger_than_duckdb_reads_by_default_is_read(self):
        large = [{"input": "1" * (18 << 20), "output": "2", "testtype": "stdin"}]
        (found,) = read("livecodebench", [self.row(json.dumps(large))])

        assert len(json.loads(found["tests"])["inputs"][1]) == 18 << 20


@needs_shared
class TestOfRealSets:
    def lines(self, name: str) -> list[dict[str, Any]]:
        raw = (SHARED / name).read_bytes()
        return [json.loads(line) for line in (gzip.decompress(raw) if name.endswith(".gz") else raw).splitlines()]

    def test_mmlu_stem_is_whole_and_each_letter_is_right_about_as_often(self):
        rows = [row | {"subject": row["type"]} for row in self.lines("mmlu_stem/test.jsonl")]
        found = read("mmlu-stem", rows, {"answer": pa.int64()})
        texts = {(row["question"], row["choices"][row["answer"]]) for row in rows}

        assert {(row["question"].split("\nWhich letter")[0], options_of(row)[row["answer"]]) for row in found} == texts
        letters = [row["answer"] for row in found]
        assert all(0.22 < letters.count(letter) / len(letters) < 0.28 for letter in "ABCD")

    def test_gsm8k_and_aime_have_a_number_for_each_question(self):
        gsm8k = read("gsm8k", self.lines("gsm8k/test.jsonl"))
        aime = read("aime-2024", self.lines("aime24/test.jsonl"), {"id": pa.int64()})

        assert (len(gsm8k), len(aime)) == (1319, 30)
        assert all(row["answer"].lstrip("-").replace(".", "").isdigit() for row in gsm8k + aime)
