"""A model's answers to a benchmark: as many a question as asked for, each graded for itself."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, read_rows, write_rows
from branchmerge.core.params import PARAMS
from branchmerge.core.records import PROMPT, SCORE
from branchmerge.evaluation import respondent
from branchmerge.reporting.metrics import metrics_of
from branchmerge.reporting.params import ReportParams
from stages import evaluate
from tests.learner import tiny_model, tiny_tokenizer
from tests.programs import verify_params

pytestmark = pytest.mark.slow

QUESTIONS = 3
# model -> the tokens it writes, each about as often. 1 is right; "hi" is a token of its own, but h and i are written
WRITES = {"ones": ["1", "2"], "letters": ["h", "i", "<|im_end|>"], "thinker": ["1"]}
BENCHMARKS = {
    "long": {"samples_per_question": 3, "temperature": 1.0, "top_p": 1.0, "max_tokens": 12},
    "short": {"samples_per_question": 8, "temperature": 1.0, "top_p": 1.0, "max_tokens": 1},
    "greedy": {"samples_per_question": 1, "temperature": 0, "top_p": 1.0, "max_tokens": 12},
}


def make_model(folder: Path, tokens: list[str], thinks: bool = False) -> None:
    """A model to which, after any text, some tokens are as likely, and nothing else is.

    Args:
        thinks: Its template opens a thought for it.
    """
    import torch

    from branchmerge.chat import contract

    tokenizer = tiny_tokenizer()
    if thinks:
        opened = tokenizer.chat_template.replace(
            "assistant\\n' -}}\n{%- endif", "assistant\\n<think>\\n' -}}\n{%- endif"
        )
        assert opened != tokenizer.chat_template
        tokenizer.chat_template = opened
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
        patch.setenv("BRANCHMERGE_CACHE", str(folder / "store"))
        for model, tokens in WRITES.items():
            make_model(Path(f"models/{model}"), tokens, thinks=model == "thinker")
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
    accuracy = metrics_of({"ones": scores}, params, {})["accuracy"]["ones"]["short"]
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


def test_a_thought_that_the_template_opened_and_nothing_closed_is_no_answer(folder: Path):
    """Its text is 1, the right answer, all over."""
    for rows in answers(folder, "greedy", "thinker").values():
        (row,) = rows
        assert row["response"] == "<think>\n" + "1" * 12
        assert (row["answer"], row["is_correct"], row["faults"]) == (None, False, ["unclosed"])


@pytest.fixture
def again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The evaluated project and its row store, to be changed."""
    copy = tmp_path / "again"
    shutil.copytree(folder, copy)
    monkeypatch.chdir(copy)
    monkeypatch.setenv("BRANCHMERGE_CACHE", str(copy / "store"))
    return copy


def asked_tokens(model: str = "ones") -> int:
    """Tokens that an evaluation generates now."""
    evaluate.main(model, Path(f"models/{model}"))
    return json.loads(Path(f"reports/cost/evaluate-{model}.json").read_text())["asked_tokens"]


def change(section: str, **changes: Any) -> None:
    params = json.loads(PARAMS.read_text())
    params[section] |= changes
    PARAMS.write_text(json.dumps(params))


def test_a_model_whose_answers_are_all_known_is_not_loaded(again: Path, monkeypatch: pytest.MonkeyPatch):
    before = Path("reports/eval/ones.parquet").read_bytes()
    monkeypatch.setattr(respondent, "make_engine", None)  # to call it would fail

    assert asked_tokens() == 0
    assert Path("reports/eval/ones.parquet").read_bytes() == before


def test_another_grader_asks_nothing(again: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(respondent, "make_engine", None)
    change("verify", grader="text")

    assert asked_tokens() == 0
    assert {row["grader"] for row in read_rows(Path("reports/eval/ones.parquet"), SCORE)} == {"text"}


def test_more_samples_cost_only_the_new_ones(again: Path):
    more = BENCHMARKS | {"short": BENCHMARKS["short"] | {"samples_per_question": 16}}
    change("evaluate", benchmarks=more)

    assert asked_tokens() == 8 * QUESTIONS  # each of one token


def test_other_weights_in_the_same_folder_answer_anew(again: Path):
    make_model(Path("models/ones"), ["2"])

    assert asked_tokens() > 0
    rows = [row for row in read_rows(Path("reports/eval/ones.parquet"), SCORE) if row["benchmark"] == "short"]
    assert {row["response"] for row in rows} == {"2"}


def test_on_another_machine_the_scores_stand_in_for_the_row_store(again: Path, monkeypatch: pytest.MonkeyPatch):
    shutil.rmtree("store")
    monkeypatch.setattr(respondent, "make_engine", None)

    assert asked_tokens() == 0


def test_two_questions_that_ask_the_same_share_their_answers(again: Path):
    file = Path("data/benchmarks/short.parquet")
    rows = read_rows(file, PROMPT)
    write_rows(file, PROMPT, [*rows, rows[0] | {"prompt_id": "twin"}])

    assert asked_tokens() == 0
    scores = [row for row in read_rows(Path("reports/eval/ones.parquet"), SCORE) if row["benchmark"] == "short"]
    assert len(scores) == 8 * (QUESTIONS + 1)


def test_settings_in_the_models_folder_that_nobody_asked_for_change_no_answer(again: Path):
    """Penalties and cut-offs of a generation_config.json: with these in force, no 1 would follow a 1."""
    shutil.copytree("models/letters", "models/strict")
    strange = {"repetition_penalty": 9.0, "no_repeat_ngram_size": 1, "top_k": 1, "min_p": 0.9, "bad_words_ids": [[5]]}
    file = Path("models/strict/generation_config.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | strange | {"do_sample": True, "min_new_tokens": 9}))
    assert asked_tokens("strict") > 0
    plain, strict = (read_rows(Path(f"reports/eval/{model}.parquet"), SCORE) for model in ("letters", "strict"))
    of_greedy = [[row["response"] for row in rows if row["benchmark"] == "greedy"] for rows in (plain, strict)]
    counts = {len(set(row["response"])) for row in strict if row["benchmark"] == "long"}

    assert of_greedy[0] == of_greedy[1]
    assert 2 in counts  # both letters, although top_k is 1 there
