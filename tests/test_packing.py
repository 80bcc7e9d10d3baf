"""A packed row learns as if it were alone."""

from pathlib import Path

import pytest

from branchmerge.core.errors import StageError
from tests.learner import PARAMS, UNEVEN, other, rows_of, setup, tiny_model, tiny_tokenizer, trainer_of

pytestmark = pytest.mark.slow
PACKED = other(packing=True, max_length=128, batch_size=4)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def gradients(model, trainer) -> list:
    """Of the loss on one batch of all rows, as the trainer computes it."""
    (batch,) = trainer.get_train_dataloader()
    items = (batch["labels"][:, 1:] != -100).sum()
    model.zero_grad()
    trainer.compute_loss(model.train(), trainer._prepare_inputs(dict(batch)), num_items_in_batch=items).backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


def with_loss(trainer) -> list[int]:
    """Labels of all batches, in no order."""
    return sorted(
        id_ for batch in trainer.get_train_dataloader() for id_ in batch["labels"].flatten().tolist() if id_ != -100
    )


def test_rows_are_packed_whole_and_each_once(tokenizer):
    from branchmerge.training.packing import pack
    from branchmerge.training.rows import as_dataset

    rows = as_dataset(rows_of(tokenizer, UNEVEN))
    packed = pack(rows, 128)
    apart = []
    for sequence in packed:
        ids = list(sequence["input_ids"])
        assert len(ids) <= 128
        for length in sequence["seq_lengths"]:
            apart.append(ids[:length])
            del ids[:length]
        assert not ids

    assert len(packed) < len(rows) / 2
    assert sorted(apart) == sorted(rows["input_ids"])


def test_a_row_that_trl_would_cut_when_packing_is_an_error(tokenizer):
    from branchmerge.training.packing import pack
    from branchmerge.training.rows import as_dataset

    with pytest.raises(StageError, match=r"packing: expected .* tokens, as before packing.*TRL cuts rows"):
        pack(as_dataset(rows_of(tokenizer, UNEVEN)), 40)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_logits_of_a_packed_row_are_those_of_the_row_alone(tokenizer, attention: str):
    import torch

    from branchmerge.training.packing import PackedRows, pack, without_labels_and_mask
    from branchmerge.training.rows import as_dataset

    model = tiny_model(tokenizer).train()
    model.set_attn_implementation(attention)
    packed = list(pack(as_dataset(rows_of(tokenizer, UNEVEN)), 128))
    batch = PackedRows(tokenizer.pad_token_id)(packed)
    together = model(**without_labels_and_mask(batch), use_cache=False).logits
    checked = 0
    for logits, sequence in zip(together, packed, strict=True):
        start = 0
        for length in sequence["seq_lengths"]:
            alone = model(input_ids=torch.tensor([sequence["input_ids"][start : start + length]])).logits[0]
            torch.testing.assert_close(logits[start : start + length], alone, rtol=0, atol=1e-5)
            start, checked = start + length, checked + 1

    assert checked == len(UNEVEN)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_packed_and_unpacked_give_the_same_labels_and_the_same_gradient(tokenizer, tmp_path: Path, attention: str):
    import torch

    model = tiny_model(tokenizer)
    apart, packed = (
        trainer_of(model, tokenizer, params, tmp_path, UNEVEN, setup(attention=attention))
        for params in (other(batch_size=len(UNEVEN)), PACKED)
    )

    assert with_loss(apart) == with_loss(packed)
    for one, two in zip(gradients(model, apart), gradients(model, packed), strict=True):
        assert one.abs().max() > 0
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-6)


def test_packed_rows_are_counted_as_rows_and_tokens_without_padding(tokenizer, tmp_path: Path):
    trainer = trainer_of(
        tiny_model(tokenizer), tokenizer, other(**PACKED.model_dump() | {"max_steps": 2}), tmp_path, UNEVEN
    )
    trainer.train()

    assert trainer.rows_seen == 2 * len(UNEVEN)
    assert trainer.state.num_input_tokens_seen == 2 * sum(len(row["input_ids"]) for row in rows_of(tokenizer, UNEVEN))


def test_a_model_whose_packed_rows_see_each_other_is_refused_before_it_learns(tokenizer, tmp_path: Path):
    """With a mask of ones transformers takes the sequence for a single row: the trap itself."""
    import torch

    model = tiny_model(tokenizer)
    start = [parameter.clone() for parameter in model.parameters()]
    inner = model.model.forward
    model.model.forward = lambda **inputs: inner(**inputs | {"attention_mask": torch.ones_like(inputs["input_ids"])})
    trainer = trainer_of(model, tokenizer, PACKED, tmp_path, UNEVEN, setup(attention="sdpa"))

    with pytest.raises(StageError, match="packing with attention sdpa: expected rows that do not see each other"):
        trainer.train()
    assert all(torch.equal(one, two) for one, two in zip(start, model.parameters(), strict=True))


def test_unpacked_rows_are_not_touched_by_packings_collator(tokenizer, tmp_path: Path):
    trainer = trainer_of(tiny_model(tokenizer), tokenizer, PARAMS, tmp_path, UNEVEN)
    batch = next(iter(trainer.get_train_dataloader()))

    assert set(batch) == {"input_ids", "labels", "attention_mask"}


def test_trls_own_collator_keeps_rows_apart_as_flash_attention_needs_it(tokenizer):
    """End to end with position ids and bounds; here by SDPA, since there is no GPU."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    from branchmerge.training.packing import check_apart

    model = tiny_model(tokenizer).train()
    check_apart(model, DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True))

    assert model.training
    with pytest.raises(StageError, match="rows that do not see each other"):
        check_apart(model, lambda rows: {"input_ids": rows_as_one(rows)})


def rows_as_one(rows: list[dict]):
    import torch

    return torch.tensor([row["input_ids"] for row in rows])
