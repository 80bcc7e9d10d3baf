"""Questions come from generators, files, buckets and hub data sets, with or without answers; splits never meet."""

import gzip
import json
from pathlib import Path

import duckdb
import pytest

from stages import prompts, traces
from stages.shared.errors import InputError, StageError
from stages.shared.files import read_rows
from stages.shared.problems import split_of
from stages.shared.records import PROMPT, SOURCE, TRACE
from stages.source import main
from tests.conftest import ROOT

ROWS = [{"problem": f"What is {n}+1?", "solution": n + 1, "level": n % 2} for n in range(200)]
PARAMS = """
run: {{seed: 0, threads: 1}}
source:
  sums:
    path: {source}
    licence: MIT
    columns: {{question: problem, answer: solution}}
    where: {where}
    max_train_rows: 50
    max_test_rows: 10
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_source(folder: Path, name: str) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    if name.endswith(".jsonl"):
        (folder / name).write_text(lines)
    elif name.endswith(".gz"):
        (folder / name).write_bytes(gzip.compress(lines.encode()))
    else:
        (folder / "rows.jsonl").write_text(lines)
        duckdb.connect().execute(f"copy (from read_json_auto('{folder}/rows.jsonl')) to '{folder / name}'")


def drawn(folder: Path, source: str, where: str = "null") -> tuple[list[dict], list[dict]]:
    (folder / "params.yaml").write_text(PARAMS.format(source=source, where=where))
    main("sums")
    rows = read_rows(Path("data/sources/sums.parquet"), SOURCE)
    return [row for row in rows if row["split"] == "train"], [row for row in rows if row["split"] == "test"]


@pytest.mark.parametrize("name", ["source.jsonl", "source.jsonl.gz", "source.parquet", "source.csv"])
def test_a_file_gives_train_and_held_out_rows(workspace: Path, name: str):
    write_source(workspace, name)
    train, test = drawn(workspace, name)

    assert (len(train), len(test)) == (50, 10)
    assert not {row["question"] for row in train} & {row["question"] for row in test}
    assert {row["answer"] for row in train} <= {str(n + 1) for n in range(200)}
    assert {(row["licence"], row["source"], row["response"]) for row in train + test} == {("MIT", "sums", None)}


def test_where_selects_rows(workspace: Path):
    write_source(workspace, "source.jsonl")
    train, test = drawn(workspace, "source.jsonl", where="level = 1")

    assert all(int(row["answer"]) % 2 == 0 for row in train + test)


def test_the_same_input_gives_the_same_bytes(workspace: Path):
    write_source(workspace, "source.jsonl")
    drawn(workspace, "source.jsonl")
    first = Path("data/sources/sums.parquet").read_bytes()
    drawn(workspace, "source.jsonl")

    assert Path("data/sources/sums.parquet").read_bytes() == first


def test_a_missing_file_is_named(workspace: Path):
    with pytest.raises(InputError, match=r"nowhere\.jsonl: expected files .* got no such file"):
        drawn(workspace, "nowhere.jsonl")


def test_an_unknown_format_is_named(workspace: Path):
    (workspace / "rows.xls").write_text("x")
    with pytest.raises(InputError, match=r"rows\.xls: expected files that all end in one of \.parquet, \.jsonl"):
        drawn(workspace, "rows.xls")


def test_a_corrupt_parquet_is_named_and_nothing_is_written(workspace: Path):
    (workspace / "rows.parquet").write_bytes(b"PAR1 this is no Parquet")
    with pytest.raises(InputError, match=r"rows\.parquet: expected columns for question, answer"):
        drawn(workspace, "rows.parquet")

    assert not Path("data").exists()


def test_a_column_that_is_not_there_is_named(workspace: Path):
    write_source(workspace, "source.jsonl")
    with pytest.raises(InputError, match="nothere"):
        drawn(workspace, "source.jsonl", where="nothere = 1")


def test_a_selection_of_nothing_is_an_error(workspace: Path):
    write_source(workspace, "source.jsonl")
    with pytest.raises(StageError, match="0 train, 0 dev, 0 test questions"):
        drawn(workspace, "source.jsonl", where="level = 7")


ANSWERS = ["3.10", "1e5", "0x1F", "True", "1:05:00", "05-01-2023", "2023-01-05T00:00:00Z", "007", "NULL", "AB-cd"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_gold_answer_stays_as_it_stands(workspace: Path, suffix: str):
    rows = [{"problem": f"What is {n}+1?", "solution": ANSWERS[n % len(ANSWERS)]} for n in range(200)]
    lines = [json.dumps(row) for row in rows]
    if suffix == "csv":
        lines = ["problem,solution", *(f"{row['problem']},{row['solution']}" for row in rows)]
    (workspace / f"texts.{suffix}").write_text("\n".join(lines) + "\n")
    train, test = drawn(workspace, f"texts.{suffix}")

    assert {row["answer"] for row in train + test} == set(ANSWERS)


def test_an_answer_without_a_teacher_is_refused_by_its_question(workspace: Path):
    rows = [{"q": f"What is {n}?", "r": "x", "t": "r1" if n else None} for n in range(60)]
    (workspace / "set.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    columns = {"question": "q", "response": "r", "teacher": "t"}
    source = {"path": "set.jsonl", "licence": "MIT", "columns": columns, "max_train_rows": 99, "max_test_rows": 99}
    params = {"run": {"seed": 0, "threads": 1}, "source": {"set": source}}
    (workspace / "params.yaml").write_text(json.dumps(params))

    with pytest.raises(InputError, match=r"What is 0\?.*a teacher for each answer"):
        main("set")


def test_all_files_of_a_folder_are_one_source(workspace: Path):
    (workspace / "shards").mkdir()
    for shard in range(4):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS[shard::4])
        (workspace / f"shards/{shard}.jsonl").write_text(lines)
    train, test = drawn(workspace, "shards")
    write_source(workspace, "source.jsonl")

    assert (train, test) == drawn(workspace, "source.jsonl")


def test_files_of_two_kinds_in_a_folder_are_refused(workspace: Path):
    (workspace / "mixed").mkdir()
    write_source(workspace, "mixed/a.jsonl")
    write_source(workspace, "mixed/b.jsonl.gz")
    (workspace / "mixed/c.csv").write_text("problem,solution\n")

    with pytest.raises(InputError, match="files that all end in one of"):
        drawn(workspace, "mixed")


REVISION = "0123456789abcdef0123456789abcdef01234567"


class TestHub:
    """The hub's own client on its own cache, as a machine has it that downloaded the data set before."""

    @pytest.fixture(autouse=True)
    def _cache(self, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(workspace / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        snapshot = workspace / f"hub/datasets--open--sums/snapshots/{REVISION}/data"
        snapshot.mkdir(parents=True)
        write_source(snapshot, "train-0.parquet")
        (snapshot / "rows.jsonl").unlink()

    def pinned(self, folder: Path, **pin: str) -> tuple[list[dict], list[dict]]:
        given = {"dataset": "open/sums", "revision": REVISION, "files": "data/train-*.parquet"} | pin
        (folder / "sums.yaml").write_text("".join(f"{key}: {value}\n" for key, value in given.items()))
        return drawn(folder, "sums.yaml")

    def test_a_pinned_data_set_gives_rows(self, workspace: Path):
        train, test = self.pinned(workspace)

        assert (len(train), len(test)) == (50, 10)

    @pytest.mark.parametrize(
        ("pin", "said"),
        [
            ({"revision": "main"}, "40 hexadecimal digits"),
            ({"revision": REVISION[::-1]}, "data set open/sums at"),
            ({"dataset": "open/other"}, "data set open/other at"),
            ({"files": "nothing-*.parquet"}, "files that all end in"),
        ],
        ids=["a branch", "another commit", "another data set", "no files"],
    )
    def test_what_cannot_be_had_is_named(self, workspace: Path, pin: dict, said: str):
        with pytest.raises(InputError, match=said):
            self.pinned(workspace, **pin)


def test_a_question_in_two_sources_is_taken_from_the_first(workspace: Path):
    write_source(workspace, "source.jsonl")
    drawn(workspace, "source.jsonl")
    text = PARAMS.format(source="source.jsonl", where="null").replace("sums", "more").replace("MIT", "Apache-2.0")
    text = text.replace("max_train_rows: 50", "max_train_rows: 80")
    (workspace / "params.yaml").write_text(text + "domains: {add: {prompts: {sources: [sums, more]}}}")
    main("more")
    prompts.main("add")
    rows = read_rows(Path("data/prompts/add.parquet"), PROMPT)

    assert len({row["question"] for row in rows}) == len(rows) == 80
    licences = [row["licence"] for row in rows if row["source"] == "sums"]
    assert (len(licences), set(licences)) == (50, {"MIT"})
    held_out = {row["question"] for row in read_rows(Path("data/benchmarks/add.parquet"), PROMPT)}
    assert held_out
    assert not held_out & {row["question"] for row in rows}


# a row as each public trace set has it; the columns of params.yaml for it; the responses that should come out
THOUGHT = "<think>\nadd\n</think>\n{}"
SHAPES = {
    "OpenR1-Math-220k": (
        {
            "problem": "{}",
            "answer": "7",
            "generations": [THOUGHT.format(7), THOUGHT.format(8)],
            "correctness_math_verify": [True, False],
            "is_reasoning_complete": [True, False],
        },
        {
            "question": "problem",
            "answer": "answer",
            "response": "unnest(generations)",
            "teacher": "'DeepSeek-R1'",
            "finish_reason": "unnest([case when x then 'stop' else 'length' end for x in is_reasoning_complete])",
        },
        [(THOUGHT.format(7), "stop"), (THOUGHT.format(8), "length")],
    ),
    "OpenR1-Math-220k, correct ones": (
        {
            "problem": "{}",
            "answer": "7",
            "generations": [THOUGHT.format(7), THOUGHT.format(8)],
            "correctness_math_verify": [True, False],
        },
        {
            "question": "problem",
            "answer": "answer",
            "response": "unnest([g for g, i in generations if correctness_math_verify[i]])",
            "teacher": "'DeepSeek-R1'",
        },
        [(THOUGHT.format(7), "stop")],
    ),
    "OpenThoughts-114k": (
        {
            "system": "Think.",
            "conversations": [
                {"from": "user", "value": "{}"},
                {
                    "from": "assistant",
                    "value": "<|begin_of_thought|>\n\nadd\n\n<|end_of_thought|>\n\n"
                    "<|begin_of_solution|>\n\n7\n\n<|end_of_solution|>",
                },
            ],
        },
        {
            "question": "conversations[1].value",
            "reasoning": "regexp_extract(conversations[2].value, "
            "'<\\|begin_of_thought\\|>(.*)<\\|end_of_thought\\|>', 1, 's')",
            "solution": "regexp_extract(conversations[2].value, "
            "'<\\|begin_of_solution\\|>(.*)<\\|end_of_solution\\|>', 1, 's')",
            "teacher": "'DeepSeek-R1'",
        },
        [(THOUGHT.format(7), "stop")],
    ),
    "OpenThoughts-114k, metadata": (
        {"problem": "{}", "deepseek_reasoning": "add", "deepseek_solution": "7", "ground_truth_solution": "7"},
        {
            "question": "problem",
            "answer": "ground_truth_solution",
            "reasoning": "deepseek_reasoning",
            "solution": "deepseek_solution",
            "teacher": "'DeepSeek-R1'",
        },
        [(THOUGHT.format(7), "stop")],
    ),
    "s1K": (
        {"question": "{}", "solution": "7", "thinking_trajectories": ["add"], "attempt": "7"},
        {
            "question": "question",
            "answer": "solution",
            "reasoning": "thinking_trajectories[1]",
            "solution": "attempt",
            "teacher": "'gemini'",
        },
        [(THOUGHT.format(7), "stop")],
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_answers_of_a_public_trace_set_become_traces(workspace: Path, shape: str, suffix: str):
    row, columns, responses = SHAPES[shape]
    lines = [json.dumps(row).replace("{}", f"What is {number}+1?") for number in range(60)]
    (workspace / "set.jsonl").write_text("\n".join(lines))
    if suffix == "parquet":
        duckdb.connect().execute("copy (from read_json_auto('set.jsonl')) to 'set.parquet'")
    sampling = {"engine": "vllm", "samples_per_prompt": 1, "temperature": 1, "top_p": 1, "max_tokens": 9}
    source = {"path": f"set.{suffix}", "licence": "MIT", "columns": columns, "max_train_rows": 9, "max_test_rows": 9}
    params = {
        "run": {"seed": 0, "threads": 1},
        "source": {"set": source},
        "traces": sampling,
        "domains": {"sums": {"prompts": {"sources": ["set"]}, "traces": {"teacher": "data/sources"}}},
    }
    (workspace / "params.yaml").write_text(json.dumps(params))
    main("set")
    prompts.main("sums")
    traces.main("sums")
    rows = read_rows(Path("data/traces/sums.parquet"), TRACE)

    assert len(rows) == 9 * len(responses)
    assert {(row["response"], row["finish_reason"]) for row in rows} == set(responses)
    assert {row["reasoning"] for row in rows} == {"add"}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"question": "q", "response": "r"}, "a teacher where there are answers"),
        ({"question": "q", "teacher": "t"}, "a teacher where there are answers"),
        ({"question": "q", "reasoning": "r", "teacher": "t"}, "both reasoning and solution"),
        ({"question": "q", "reasoning": "r", "solution": "s", "response": "x", "teacher": "t"}, "or both reasoning"),
    ],
)
def test_half_an_answer_is_refused(workspace: Path, columns: dict, said: str):
    source = {"path": "set.jsonl", "licence": "MIT", "columns": columns, "max_train_rows": 9, "max_test_rows": 9}
    params = {"run": {"seed": 0, "threads": 1}, "source": {"set": source}}
    (workspace / "params.yaml").write_text(json.dumps(params))

    with pytest.raises(InputError, match=said):
        main("set")


REAL = ROOT.parent / "shared/data/rg_eval_traces/traces.jsonl.gz"


@pytest.mark.skipif(not REAL.is_file(), reason=f"NO REAL TRACES AT {REAL}: importing them is not tested")
def test_every_real_answer_of_two_teachers_becomes_a_trace(workspace: Path):
    """4,181 answers of QwQ-32B and Mistral-Small to reasoning-gym questions."""
    columns = {"question": "question", "answer": "expected_answer", "response": "response", "teacher": "model"}
    source = {"path": str(REAL), "licence": "Apache-2.0", "columns": columns}
    sampling = {"engine": "vllm", "samples_per_prompt": 1, "temperature": 1, "top_p": 1, "max_tokens": 9}
    params = {
        "run": {"seed": 0, "threads": 1},
        "source": {"real": source | {"max_train_rows": 10_000, "max_test_rows": 10_000}},
        "traces": sampling,
        "domains": {"all": {"prompts": {"sources": ["real"]}, "traces": {"teacher": "data/sources"}}},
    }
    (workspace / "params.yaml").write_text(json.dumps(params))
    main("real")
    prompts.main("all")
    traces.main("all")

    with gzip.open(REAL, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    assert len(rows) == 4181
    learnt = {(row["question"], row["model"], row["response"]) for row in rows if split_of(row["question"]) == "train"}
    questions = {row["prompt_id"]: row["question"] for row in read_rows(Path("data/prompts/all.parquet"), PROMPT)}
    imported = read_rows(Path("data/traces/all.parquet"), TRACE)
    assert {(questions[row["prompt_id"]], row["teacher"], row["response"]) for row in imported} == learnt
    assert len(imported) == len(learnt) > 2000
