"""Every profile is complete: each stage's params load, and each mapping fits its data set's real schema."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from ruamel.yaml import YAML

from branchmerge.core.errors import InputError
from branchmerge.core.files import read_rows
from branchmerge.core.params import read_params
from branchmerge.core.records import PROMPT, SOURCE, TRACE
from branchmerge.grading.judge import Judge, Question, VerifyParams
from branchmerge.plan.build import read_build
from branchmerge.settings.profiles import names
from branchmerge.sources.params import SourceParams
from branchmerge.sources.pins import read_pin
from branchmerge.sources.problems import split_of
from stages import prompts, traces
from stages.source import main
from tests import hub
from tests.conftest import ROOT

TINYR1 = ["tinyr1-1.5b", "tinyr1-32b"]
TEXTS, BOOLS = pa.list_(pa.string()), pa.list_(pa.bool_())
MESSAGES = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))
THOUGHT = "<think>\nadd\n</think>\n{}"

# the data sets' own columns and types, as their cards list them; all other columns are text
OPENR1 = {
    "problem": "What is {}+1?",
    "solution": "Add one.",
    "answer": "7",
    "problem_type": "Algebra",
    "question_type": "math-word-problem",
    "source": "olympiads",
    "uuid": "{}",
    "is_reasoning_complete": [True, True],
    "generations": [THOUGHT.format(8), THOUGHT.format(7)],
    "correctness_math_verify": [False, True],
    "correctness_llama": None,
    "finish_reasons": None,
    "correctness_count": 1,
    "messages": [{"role": "user", "content": "What is {}+1?"}],
}
OPENTHOUGHTS = {
    "problem": "What is {}+1?",
    "deepseek_reasoning": "add",
    "deepseek_solution": "7",
    "ground_truth_solution": None,
    "domain": "physics",
    "source": "camelai_physics",
    "test_cases": None,
    "starter_code": None,
}
CODE = OPENTHOUGHTS | {
    "problem": "Print {} plus what is read.",
    "deepseek_solution": "```python\nprint(int(input()) + {})\n```",
    "domain": "code",
    "source": "taco",
    "test_cases": '{"inputs": ["1\\n"], "outputs": ["2\\n"]}',
    "starter_code": "",
}
S1K = {
    "solution": "7",
    "question": "What is {}+1?",
    "cot_type": "science",
    "source_type": "GAIR/OlympicArena/Physics",
    "metadata": "{}",
    "gemini_thinking_trajectory": "count",
    "gemini_attempt": "8",
    "deepseek_thinking_trajectory": "add",
    "deepseek_attempt": "7",
    "gemini_grade": "No",
    "gemini_grade_reason": "",
    "deepseek_grade": "Yes",
    "deepseek_grade_reason": "",
}
S1_59K = {
    "solution": "7",
    "question": "What is {}+1?",
    "cot_type": "science",
    "source_type": "GAIR/OlympicArena/Physics",
    "metadata": "{}",
    "cot": None,
    "thinking_trajectories": ["add"],
    "attempt": "7",
}
AIME = {"id": 60, "problem": "What is {}+1?", "solution": "", "answer": "7", "url": "", "year": "2024"}
GPQA = {
    "Pre-Revision Question": "",
    "Question": "What is {}+1?",
    "Correct Answer": "right, {}",
    "Incorrect Answer 1": "wrong 1",
    "Incorrect Answer 2": "wrong 2",
    "Incorrect Answer 3": "wrong 3",
    "Record ID": "rec{}",
    "Subdomain": "Physics (general)",
}
LIVECODEBENCH = {
    "question_title": "A. Sum",
    "question_content": "Print {} plus what is read.",
    "platform": "atcoder",
    "question_id": "abc{}",
    "contest_id": "abc",
    "contest_date": "2024-10-05T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": '[{"input": "1\\n", "output": "8\\n", "testtype": "stdin"}]',
    "private_test_cases": '[{"input": "2\\n", "output": "9\\n", "testtype": "stdin"}]',
    "metadata": "{}",
}
# source of the profiles -> file, its row, a row that must not be taken, and the response that comes out
SETS: dict[str, tuple[str, dict[str, Any], dict[str, Any] | None, str | None]] = {
    "openr1": ("train-0.parquet", OPENR1, {"question_type": "proof"}, THOUGHT.format(7)),
    "openthoughts_science": ("train-0.parquet", OPENTHOUGHTS, {"domain": "math"}, THOUGHT.format(7)),
    "openthoughts_code": ("train-0.parquet", CODE, {"domain": "puzzle"}, None),
    "s1k": ("train-0.parquet", S1K, None, THOUGHT.format(7)),
    "s1_59k": ("train-0.parquet", S1_59K, {"cot_type": "math"}, THOUGHT.format(7)),
    "aime24": ("train-0.parquet", AIME, None, None),
    "gpqa": ("gpqa_diamond.csv", GPQA, None, None),
    "livecodebench": ("test6.jsonl", LIVECODEBENCH, {"contest_date": "2024-07-31T00:00:00"}, None),
}
TYPES = {"generations": TEXTS, "finish_reasons": TEXTS, "thinking_trajectories": TEXTS, "messages": MESSAGES}
TYPES |= dict.fromkeys(("is_reasoning_complete", "correctness_math_verify", "correctness_llama"), BOOLS)
TYPES |= dict.fromkeys(("id", "correctness_count"), pa.int64())
TAKEN = 20


def numbered(row: dict[str, Any], number: int) -> dict[str, Any]:
    """A row of its own: {} in a text that says something is the number."""
    return {
        name: value.replace("{}", str(number)) if isinstance(value, str) and value != "{}" else value
        for name, value in row.items()
    }


def rows_of(name: str) -> list[dict[str, Any]]:
    """A data set's real columns: TAKEN rows to take and as many that are not."""
    _, row, other, _ = SETS[name]
    rows = [numbered(row, number) for number in range(TAKEN)]
    return rows + ([numbered(row, number) | other for number in range(TAKEN, 2 * TAKEN)] if other else [])


@pytest.fixture(params=TINYR1)
def profile(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A profile as params.yaml of an empty folder; what it pins lies in the hub's cache, its own files beside it."""
    params: dict[str, Any] = YAML(typ="safe").load(ROOT / f"profiles/{request.param}.yaml")
    hub.use_cache(tmp_path / "hub", monkeypatch)
    monkeypatch.chdir(tmp_path)
    hub.use_pins(Path("sources"))
    for name, source in params["source"].items():
        path = Path(source["path"])
        if path.suffix != ".yaml":
            path.mkdir(parents=True)
            hub.write(path / SETS[name][0], rows_of(name), TYPES)
    for path in {source["path"] for source in params["source"].values() if source["path"].endswith(".yaml")}:
        of = [name for name, source in params["source"].items() if source["path"] == path]
        hub.place(tmp_path / "hub", read_pin(Path(path)), [row for name in of for row in rows_of(name)], TYPES)
    Path("params.yaml").write_text(json.dumps(params))
    return params


def test_every_profile_is_checked_here(project: Path):
    assert names() == sorted([*TINYR1, "smol", "toy"])


@pytest.mark.parametrize("name", [*TINYR1, "smol", "toy"])
def test_every_section_that_a_plan_reads_loads(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    (tmp_path / "params.yaml").symlink_to(project / f"profiles/{name}.yaml")
    (tmp_path / "profiles").symlink_to(project / "profiles")
    monkeypatch.chdir(tmp_path)

    assert read_build().student.parameters > 100_000


@pytest.mark.parametrize("name", TINYR1)
def test_every_hub_data_set_of_a_profile_is_pinned(project: Path, name: str):
    paths = {row["path"] for row in YAML(typ="safe").load(project / f"profiles/{name}.yaml")["source"].values()}
    pinned = {path for path in paths if path.endswith(".yaml")}

    assert pinned
    for path in pinned:
        read_pin(project / path)


def test_every_mapping_takes_the_rows_of_its_real_schema(profile: dict[str, Any]):
    assert profile["source"].keys() == SETS.keys()
    for name, (_, _, _, response) in SETS.items():
        main(name)
        rows = read_rows(Path(f"data/sources/{name}.parquet"), SOURCE)
        params = read_params(SourceParams, name=name)

        assert len(rows) == TAKEN, name  # all of one split, whatever their hash
        assert {row["split"] for row in rows} == {"train" if params.max_train_rows else "test"}, name
        assert all((row["response"] is not None) == (params.max_train_rows > 0) for row in rows), name
        assert response is None or {row["response"] for row in rows} == {response}, name


def test_a_profile_comes_to_traces_and_benchmarks_of_every_domain(profile: dict[str, Any]):
    for name in profile["source"]:
        main(name)
    for domain in profile["domains"]:
        prompts.main(domain)
        traces.main(domain)

        assert len(read_rows(Path(f"data/traces/{domain}.parquet"), TRACE)) >= TAKEN, domain
        assert len(read_rows(Path(f"data/benchmarks/{domain}.parquet"), PROMPT)) == TAKEN, domain


@pytest.mark.slow
@pytest.mark.parametrize("name", ["livecodebench", "openthoughts_code"])
def test_the_tests_of_a_code_set_are_ones_that_the_grader_runs(profile: dict[str, Any], name: str):
    main(name)
    row = next(row for row in read_rows(Path(f"data/sources/{name}.parquet"), SOURCE) if " 7 " in row["question"])
    params = read_params(VerifyParams).model_copy(update={"isolation": "process"})
    number = 7 if name == "livecodebench" else 1
    programs = [f"print(int(input()) + {number})", f"print(int(input()) + {number + 1})"]
    if name == "livecodebench":
        programs.append("print(8)")  # which passes its public test
    with Judge(params, "code") as judge:
        questions = [Question(f"```python\n{program}\n```", None, row["tests"]) for program in programs]
        verdicts = [grade.verdict for grade in judge.grade_all(iter(questions))]

    assert verdicts == ["correct", "wrong", "wrong"][: len(programs)]


def test_a_benchmark_source_and_a_training_source_may_split_no_question(profile: dict[str, Any]):
    main("openr1")
    questions = [row["question"] for row in read_rows(Path("data/sources/openr1.parquet"), SOURCE)]

    assert {split_of(question) for question in questions} == {"train", "dev", "test"}


def test_a_source_of_no_rows_is_refused(profile: dict[str, Any]):
    profile["source"]["aime24"] |= {"max_train_rows": 0, "max_test_rows": 0}
    Path("params.yaml").write_text(json.dumps(profile))

    with pytest.raises(InputError, match="max_train_rows or max_test_rows above 0"):
        main("aime24")
