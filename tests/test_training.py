"""TRL trains on what we say it does."""

from pathlib import Path

import pytest

from stages.base import make_network, make_tokenizer
from stages.shared.chat import conversation, training_row
from stages.shared.errors import StageError
from stages.shared.params import RunParams
from stages.shared.problems import Problem
from stages.shared.training import TrainingParams, check_lengths, train
from tests.conftest import TINY

RUN = RunParams(seed=0, threads=1)
PARAMS = TrainingParams(
    max_steps=4,
    batch_size=2,
    learning_rate=1e-2,
    lr_scheduler="constant",
    warmup_ratio=0,
    weight_decay=0,
    adam_beta2=0.95,
    max_grad_norm=1,
    max_length=64,
    dtype="float32",
    logging_steps=2,
)
QUESTIONS = [f"What is {n}+1?" for n in range(6)]


@pytest.fixture
def tokenizer():
    return make_tokenizer([Problem("What is 1+1?", "1+1=2", "2")], vocab_size=384)


def tiny_model(tokenizer):
    return make_network(TINY, tokenizer, seed=0)


def rows_of(tokenizer):
    return [training_row(tokenizer, conversation(question, "<think>\nx\n</think>\n7")) for question in QUESTIONS]


def test_a_row_that_would_be_cut_is_an_error(tokenizer):
    row = training_row(tokenizer, conversation("What is 1+1?", "9" * 100))

    with pytest.raises(StageError, match=r"rows of 1 to 64 tokens \(max_length\), got 1 rows, the longest of"):
        check_lengths([row], PARAMS)


def test_no_rows_is_an_error():
    with pytest.raises(StageError, match="got 0 rows"):
        check_lengths([], PARAMS)


@pytest.mark.slow
def test_the_labels_trl_trains_on_are_the_answer_and_the_stop_token(tokenizer, tmp_path: Path):
    from stages.shared.training import make_trainer

    trainer = make_trainer(
        tiny_model(tokenizer), tokenizer, rows_of(tokenizer), PARAMS, RUN, tmp_path, str(tmp_path / "scratch")
    )
    batches = list(trainer.get_train_dataloader())
    labels = [[id_ for id_ in row if id_ != -100] for batch in batches for row in batch["labels"].tolist()]

    assert len(labels) == len(QUESTIONS)
    assert {tokenizer.decode(row) for row in labels} == {"<think>\nx\n</think>\n7<|im_end|>"}


@pytest.mark.slow
def test_training_is_counted_logged_and_repeatable(tokenizer, tmp_path: Path):
    import torch

    models = [tiny_model(tokenizer) for _ in range(2)]
    used = [
        train(model, tokenizer, rows_of(tokenizer), PARAMS, RUN, tmp_path / str(index))
        for index, model in enumerate(models)
    ]
    tokens = {len(row["input_ids"]) for row in rows_of(tokenizer)}

    assert used[0] == used[1]
    assert (used[0].steps, used[0].rows, {used[0].tokens}) == (4, 8, {8 * length for length in tokens})
    assert all(torch.equal(one, two) for one, two in zip(models[0].parameters(), models[1].parameters(), strict=True))
    curve = (tmp_path / "0/plots/metrics/loss.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in curve] == ["step", "2", "4"]
    first, last = (float(line.split("\t")[1]) for line in curve[1:])
    assert last < first


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_an_error(tokenizer, tmp_path: Path):
    diverging = PARAMS.model_copy(update={"learning_rate": 1e30, "max_grad_norm": 1e30})

    with pytest.raises(StageError, match="a finite loss, got nan"):
        train(tiny_model(tokenizer), tokenizer, rows_of(tokenizer), diverging, RUN, tmp_path)
