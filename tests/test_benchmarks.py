"""The public benchmarks as sources: each mapping on rows of its real schema, and what must not go wrong unseen."""

import gzip
import json
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
from tests.hub import read_benchmark
from tests.programs import verify_params

SHARED = ROOT.parent / "shared/data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="NO shared/data BESIDE THE PROJECT: no real benchmark")
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


def benchmark() -> list[Row]:
    prompts.main("it")
    return read_rows(Path("data/benchmarks/it.parquet"), PROMPT)


@pytest.mark.parametrize("name", REAL)
def test_a_pin_reads_its_data_set(name: str):
    row, question, answer = REAL[name]
    types = {column: pa.int64() for column, value in row.items() if isinstance(value, int)}
    (found,) = read_benchmark(name, [row], types)

    assert question in found["question"]
    assert found["split"] == "test"
    assert found["licence"]
    assert answer is None or found["answer"] == answer


@pytest.mark.parametrize("name", ["humaneval", "humaneval-plus", "mbpp", "mbpp-plus"])
def test_the_solution_of_a_code_benchmark_passes_its_tests_and_another_does_not(name: str):
    (found,) = read_benchmark(name, [REAL[name][0]], {"task_id": pa.int64()} if name.startswith("mbpp") else None)
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
        return read_benchmark(name, [numbered(row, number) for number in range(30)], types, **params)

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
    (alone,) = read_benchmark("mmlu-pro", [numbered(row, 7)])
    among = read_benchmark("mmlu-pro", [numbered(row, number) for number in range(30)])

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
        read_benchmark("mmlu-pro", [numbered(row, 0) | changed])


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
    (found,) = read_benchmark("mmlu-pro", [numbered(row, 0)], columns={"question": "question", "answer": "answer"})

    assert (found["question"], found["answer"]) == ("Which, 0?", "C")


def test_a_part_of_a_benchmark_is_refused():
    pin = Path("sources/aime-2025.yaml")
    pin.write_text(pin.read_text() + "n_rows: 2\n")

    with pytest.raises(InputError, match=r"aime-2025\.yaml: expected files of 2 rows in all, got 1"):
        read_benchmark("aime-2025", [MATH])
    assert len(read_benchmark("aime-2025", [MATH, MATH | {"problem": "What is 5+2?"}])) == 2


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
    (found,) = read_benchmark(name, [row], types)

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
        read_benchmark("openr1-math-220k", [{"problem": "q"}])


def test_a_condition_of_params_yaml_narrows_the_one_of_the_pin():
    rows = [CHOICE | {"question": f"{of}?", "subject": of} for of in ("astronomy", "college_physics", "virology")]
    found = read_benchmark("mmlu-stem", rows, {"answer": pa.int64()}, where="subject <> 'astronomy' or true or false")
    narrow = read_benchmark("mmlu-stem", rows, {"answer": pa.int64()}, where="subject = 'astronomy'")

    assert [row["question"].split("?")[0] for row in found] == ["astronomy", "college_physics"]
    assert [row["question"].split("?")[0] for row in narrow] == ["astronomy"]


@needs_shared
class TestOfRealSets:
    def lines(self, name: str) -> list[dict[str, Any]]:
        raw = (SHARED / name).read_bytes()
        return [json.loads(line) for line in (gzip.decompress(raw) if name.endswith(".gz") else raw).splitlines()]

    def test_mmlu_stem_is_whole_and_each_letter_is_right_about_as_often(self):
        rows = [row | {"subject": row["type"]} for row in self.lines("mmlu_stem/test.jsonl")]
        found = read_benchmark("mmlu-stem", rows, {"answer": pa.int64()})
        texts = {(row["question"], row["choices"][row["answer"]]) for row in rows}

        assert {(row["question"].split("\nWhich letter")[0], options_of(row)[row["answer"]]) for row in found} == texts
        letters = [row["answer"] for row in found]
        assert all(0.22 < letters.count(letter) / len(letters) < 0.28 for letter in "ABCD")

    def test_gsm8k_and_aime_have_a_number_for_each_question(self):
        gsm8k = read_benchmark("gsm8k", self.lines("gsm8k/test.jsonl"))
        aime = read_benchmark("aime-2024", self.lines("aime24/test.jsonl"), {"id": pa.int64()})

        assert (len(gsm8k), len(aime)) == (1319, 30)
        assert all(row["answer"].lstrip("-").replace(".", "").isdigit() for row in gsm8k + aime)
