"""A model's answers to a benchmark: as many a question as asked for, each graded for itself."""

import json
from pathlib import Path

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, read_rows, write_rows
from branchmerge.core.params import PARAMS
from branchmerge.core.records import PROMPT, SCORE
from branchmerge.reporting.metrics import metrics_of
from branchmerge.reporting.params import ReportParams
from stages import evaluate
from tests.learner import tiny_model, tiny_tokenizer
from tests.programs import verify_params

pytestmark = pytest.mark.slow

QUESTIONS = 3
# model -> the tokens it writes, each about as often. 1 is right; "hi" is a token of its own, but h and i are written
WRITES = {"ones": ["1", "2"], "letters": ["h", "i", "<|im_end|>"]}
BENCHMARKS = {
    "long": {"samples_per_question": 3, "temperature": 1.0, "top_p": 1.0, "max_tokens": 12},
    "short": {"samples_per_question": 8, "temperature": 1.0, "top_p": 1.0, "max_tokens": 1},
    "greedy": {"samples_per_question": 1, "temperature": 0, "top_p": 1.0, "max_tokens": 12},
}


def make_model(folder: Path, tokens: list[str]) -> None:
    """A model to which, after any text, some tokens are as likely, and nothing else is."""
    import torch

    from branchmerge.chat import contract

    tokenizer = tiny_tokenizer()
    network = tiny_model(tokenizer)
    with torch.no_grad():
        for layer in network.model.layers:  # a token is seen by its embedding alone
            layer.self_attn.o_proj.weight.zero_()
            layer.mlp.down_proj.weight.zero_()
        embeddings = network.get_input_embeddings().weight  # tied: of the output, too
        embeddings.zero_()
        embeddings[:, 0] = 1
        embeddings[tokenizer.convert_tokens_to_ids(tokens), 0] = 10
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    contract.write_contract(folder, tokenizer)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which the models were evaluated."""
    folder = tmp_path_factory.mktemp("evaluated")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for model, tokens in WRITES.items():
            make_model(Path(f"models/{model}"), tokens)
        for name in BENCHMARKS:
            prompt = dict.fromkeys(PROMPT.schema.names) | {"domain": "math", "answer": "1", "meta": "{}"}
            rows = [prompt | {"prompt_id": f"{name}{n}", "question": f"What is {n}-{n}+1?"} for n in range(QUESTIONS)]
            write_rows(Path(f"data/benchmarks/{name}.parquet"), PROMPT, rows)
        sections = {
            "run": {"seed": 0},
            "verify": verify_params().model_dump(mode="json"),
            "evaluate": {"dtype": "float32", "benchmarks": BENCHMARKS},
        }
        PARAMS.write_text(json.dumps(sections))
        Path("machine.yaml").write_text("{run: {threads: 1}}")
        for model in WRITES:
            evaluate.main(model, Path(f"models/{model}"))
    return folder


def answers(folder: Path, benchmark: str, model: str = "ones") -> dict[str, list[Row]]:
    """Rows of each question, by sample_index."""
    found: dict[str, list[Row]] = {}
    for row in read_rows(folder / f"reports/eval/{model}.parquet", SCORE):
        if row["benchmark"] == benchmark:
            found.setdefault(row["question_id"], []).append(row)
    assert len(found) == QUESTIONS
    return {question: sorted(rows, key=lambda row: row["sample_index"]) for question, rows in found.items()}


def test_sampled_answers_to_a_question_are_as_many_as_asked_for_and_differ(folder: Path):
    for rows in answers(folder, "long").values():
        assert [row["sample_index"] for row in rows] == [0, 1, 2]
        assert len({row["response"] for row in rows}) == 3
        assert all(set(row["response"]) == {"1", "2"} for row in rows)


def test_a_greedy_question_has_one_answer(folder: Path):
    for rows in answers(folder, "greedy").values():
        assert [(row["sample_index"], len(set(row["response"]))) for row in rows] == [(0, 1)]


def test_each_sampled_answer_is_graded_and_the_accuracy_is_the_mean_over_all(folder: Path, tmp_path: Path):
    of_questions = answers(folder, "short")
    shares = []
    for rows in of_questions.values():
        assert len(rows) == 8
        assert all(row["is_correct"] == (row["response"] == "1") for row in rows)
        shares.append(sum(row["is_correct"] for row in rows) / 8)
    assert any(0 < share < 1 for share in shares)

    params = ReportParams(confidence=0.95, baseline="ones")
    scores = [row for rows in of_questions.values() for row in rows]
    accuracy = metrics_of({"ones": scores}, params)["accuracy"]["ones"]["short"]
    assert accuracy["mean"] == pytest.approx(sum(shares) / QUESTIONS, abs=1e-4)


def test_the_cost_counts_all_answers(folder: Path):
    cost = json.loads((folder / "reports/cost/evaluate-ones.json").read_text())

    assert cost["rows"] == QUESTIONS * (3 + 8 + 1)


def test_an_answer_of_max_tokens_without_a_stop_token_is_cut_off(folder: Path):
    rows = [row for of in answers(folder, "long").values() for row in of]

    assert {(row["completion_tokens"], row["finish_reason"]) for row in rows} == {(12, "length")}


def test_the_tokens_are_those_that_were_written_with_the_stop_token_whatever_the_text_tokenises_to(folder: Path):
    tokenizer = tiny_tokenizer()
    rows = [row for of in answers(folder, "long", "letters").values() for row in of]
    stopped = [row for row in rows if row["finish_reason"] == "stop"]

    assert stopped
    assert all(row["completion_tokens"] == len(row["response"]) + 1 for row in stopped)
    cut = [row for row in rows if row["finish_reason"] == "length"]
    assert all(len(row["response"]) == row["completion_tokens"] == 12 for row in cut)
    assert any(len(tokenizer(row["response"])["input_ids"]) < len(row["response"]) for row in rows)


def test_a_folder_without_a_model_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)

    with pytest.raises(InputError, match=r"models\.lost: expected a model folder"):
        evaluate.main("lost", Path("models/lost"))
