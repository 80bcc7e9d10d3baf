"""What a run learns from, in which batches, and which params cannot be meant."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from branchmerge.core.errors import InputError, StageError
from branchmerge.training.batches import Batches, split_batch
from branchmerge.training.rows import check_lengths, sft_examples
from tests.learner import PARAMS, QUESTIONS, other, rows_of, sft_set, tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def test_a_row_that_would_be_cut_is_an_error(tokenizer):
    with pytest.raises(StageError, match=r"rows of 1 to 64 tokens \(max_length\), got 2 rows, 1 of them longer"):
        check_lengths(rows_of(tokenizer, ["What is 1+1?", "9" * 100]), PARAMS)


def test_no_rows_is_an_error():
    with pytest.raises(StageError, match="got 0 rows"):
        check_lengths([], PARAMS)


def test_rows_that_are_too_long_are_dropped_and_counted_where_params_say_so(tokenizer, tmp_path: Path):
    dataset = sft_set(tmp_path, [*QUESTIONS, "9" * 100])
    examples = sft_examples(tokenizer, [dataset], other(overlong="drop"), seed=0)

    assert [row["input_ids"].tolist() for row in examples.training] == [row["input_ids"] for row in rows_of(tokenizer)]
    assert examples.n_overlong == 1
    with pytest.raises(StageError, match="7 rows, 1 of them longer"):
        sft_examples(tokenizer, [dataset], PARAMS, seed=0)


def test_held_out_rows_are_not_learnt_and_do_not_depend_on_the_order_of_the_sets(tokenizer, tmp_path: Path):
    one, two = sft_set(tmp_path, QUESTIONS[:3]), sft_set(tmp_path, QUESTIONS[3:], source="formulas")
    first, second = (sft_examples(tokenizer, sets, other(held_out_rows=3), 0) for sets in ([one, two], [two, one]))
    chosen = [row for rows in first.held_out.values() for row in rows]
    whole = sorted(row["input_ids"] for row in rows_of(tokenizer))

    assert len(chosen) == 3
    assert first.held_out == second.held_out
    assert sorted(row["input_ids"].tolist() for row in chosen + first.training) == whole
    assert sft_examples(tokenizer, [one, two], other(held_out_rows=3), 1).held_out != first.held_out


def test_holding_out_every_row_is_an_error(tokenizer, tmp_path: Path):
    with pytest.raises(StageError, match="got 6 rows, of them 6 held out"):
        sft_examples(tokenizer, [sft_set(tmp_path, QUESTIONS)], other(held_out_rows=6), 0)


@pytest.mark.parametrize(
    ("batch_size", "most", "processes", "expected"),
    [
        (96, None, 1, Batches(96, 1)),
        (96, 8, 1, Batches(8, 12)),
        (96, 10, 1, Batches(8, 12)),  # 10 and 9 do not divide it
        (96, 2, 32, Batches(1, 3)),  # of 3 a device, 2 does not divide
        (96, 3, 8, Batches(3, 4)),
        (7, 4, 1, Batches(1, 7)),
    ],
)
def test_the_batch_of_a_step_is_the_parameter(batch_size: int, most: int | None, processes: int, expected: Batches):
    assert split_batch("math", batch_size, most, processes) == expected
    assert expected.per_device * expected.accumulation * processes == batch_size


def test_a_batch_that_processes_cannot_share_is_refused_by_name():
    with pytest.raises(InputError, match=r"batch_size of math: expected a multiple of the 5 processes.*100 or 95"):
        split_batch("math", 96, None, 5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 2}, "exactly one of max_steps and epochs.*found max_steps and epochs"),
        ({"max_steps": None}, "exactly one of max_steps and epochs.*found none"),
        ({"lora": {"rank": 4, "alpha": 8, "target_modules": ["lm_head"]}}, "without lm_head"),
        ({"overlong": "truncate"}, "'fail' or 'drop'"),
    ],
)
def test_params_that_cannot_be_meant_are_refused(changes: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        other(**changes)
