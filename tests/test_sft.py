"""TRL trains on what we say it does."""

import json
from pathlib import Path

import pytest

from branchmerge.core.errors import InputError, StageError
from branchmerge.core.files import folder_hash
from branchmerge.training.rows import Examples
from tests.learner import (
    ALONE,
    ANSWER,
    PARAMS,
    QUESTIONS,
    SEED,
    UNEVEN,
    learn_branch,
    make_student,
    other,
    rows_of,
    setup,
    sft_set,
    tiny_model,
    tiny_tokenizer,
    trainer_of,
)


@pytest.fixture(scope="module")
def tokenizer():
    return tiny_tokenizer()


def train(model, tokenizer, folder: Path, params=PARAMS, questions=QUESTIONS, held_out=None, machine=ALONE):
    from branchmerge.training.run import train as run

    examples = Examples(rows_of(tokenizer, questions), held_out or {})
    return run(model, tokenizer, examples, params, SEED, machine, folder, "tiny")


def labels_by_row(trainer, tokenizer) -> list[str]:
    batches = list(trainer.get_train_dataloader())
    kept = [[id_ for id_ in row if id_ != -100] for batch in batches for row in batch["labels"].tolist()]
    return [tokenizer.decode(row) for row in kept]


@pytest.mark.slow
class TestTraps:
    """What TRL 1.16 does unless told otherwise (tests/test_packing.py has packing's own)."""

    def test_only_the_answer_and_the_stop_token_are_labels(self, tokenizer, tmp_path: Path):
        labels = labels_by_row(trainer_of(tiny_model(tokenizer), tokenizer, PARAMS, tmp_path), tokenizer)

        assert labels == [f"{ANSWER}<|im_end|>"] * len(QUESTIONS)

    def test_a_row_above_trls_1024_tokens_keeps_its_end(self, tokenizer, tmp_path: Path):
        from trl import SFTConfig

        assert SFTConfig.max_length == 1024  # the trap is there
        long = ["1" * 1500]
        trainer = trainer_of(tiny_model(tokenizer), tokenizer, other(max_length=2000), tmp_path, long)
        (batch,) = trainer.get_train_dataloader()

        assert batch["input_ids"].tolist()[0] == rows_of(tokenizer, long)[0]["input_ids"]
        assert labels_by_row(trainer, tokenizer) == [f"{ANSWER}<|im_end|>"]

    def test_nothing_is_left_for_trl_to_decide_about_the_loss(self, tokenizer, tmp_path: Path):
        """With messages and no `assistant_only_loss`, TRL trains on the question too."""
        trainer = trainer_of(tiny_model(tokenizer), tokenizer, PARAMS, tmp_path)

        assert set(trainer.train_dataset.column_names) == {"input_ids", "labels"}
        assert trainer.args.max_length is None

    def test_the_learning_rate_reaches_small_numbers_in_bfloat16(self, tokenizer, tmp_path: Path):
        """Adam's step of 1e-5 is lost in a bfloat16 weight; the copy that learns is float32."""
        import torch

        model, start = tiny_model(tokenizer), tiny_model(tokenizer)
        train(model, tokenizer, tmp_path, other(dtype="bfloat16", learning_rate=1e-5, max_steps=40))
        moved = [
            (one.float() != two.bfloat16().float()).float().mean()
            for one, two in zip(model.parameters(), start.parameters(), strict=True)
            if one.ndim == 2
        ]
        assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
        assert min(moved) > 0.2


@pytest.mark.slow
def test_training_is_counted_logged_and_repeatable(tokenizer, tmp_path: Path):
    import torch

    models = [tiny_model(tokenizer) for _ in range(2)]
    used = [train(model, tokenizer, tmp_path / str(index)) for index, model in enumerate(models)]
    tokens = {len(row["input_ids"]) for row in rows_of(tokenizer)}

    assert used[0] == used[1]
    assert (used[0].steps, used[0].rows, {used[0].tokens}) == (4, 8, {8 * length for length in tokens})
    assert all(torch.equal(one, two) for one, two in zip(models[0].parameters(), models[1].parameters(), strict=True))
    curve = (tmp_path / "0/plots/metrics/loss.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in curve] == ["step", "2", "4"]
    first, last = (float(line.split("\t")[1]) for line in curve[1:])
    assert last < first


@pytest.mark.slow
def test_epochs_see_every_row_that_often(tokenizer, tmp_path: Path):
    used = train(tiny_model(tokenizer), tokenizer, tmp_path, other(max_steps=None, epochs=3, batch_size=4))

    assert (used.steps, used.rows) == (6, 3 * len(QUESTIONS))  # 6 rows in batches of 4 are 2 steps


@pytest.mark.slow
def test_smaller_device_batches_and_checkpointed_activations_train_the_same(tokenizer, tmp_path: Path):
    """Of rows of different lengths: each token of the global batch has the same weight in the loss."""
    import torch

    base = other(batch_size=4, learning_rate=1e-3)
    models = [tiny_model(tokenizer) for _ in range(3)]
    changes = ({}, {"max_batch_size_per_device": 2}, {"gradient_checkpointing": True})
    used = [
        train(model, tokenizer, tmp_path / str(index), base, UNEVEN, machine=setup(**change))
        for index, (model, change) in enumerate(zip(models, changes, strict=True))
    ]

    assert used[0] == used[1] == used[2]
    for other_model in models[1:]:
        for one, two in zip(models[0].parameters(), other_model.parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=2e-5)  # the learning rate is 1e-3


@pytest.mark.slow
def test_the_loss_on_held_out_rows_is_told_before_and_after_by_source(tokenizer, tmp_path: Path):
    import torch

    start, model = tiny_model(tokenizer), tiny_model(tokenizer)
    held_out = {"arithmetic": rows_of(tokenizer, UNEVEN[:3]), "formulas": rows_of(tokenizer, UNEVEN[3:4])}
    train(model, tokenizer, tmp_path, PARAMS, held_out=held_out)

    def loss(model, row) -> float:
        ids = torch.tensor([row["input_ids"]])
        labels = torch.where(torch.tensor([row["completion_mask"]]) == 1, ids, -100)
        return float(model(input_ids=ids, labels=labels).loss)

    def curve(name: str) -> tuple[float, float]:
        lines = (tmp_path / f"plots/metrics/{name}.tsv").read_text().splitlines()[1:]
        return float(lines[0].split("\t")[1]), float(lines[-1].split("\t")[1])

    expected = {
        source: [sum(loss(network, row) for row in rows) / len(rows) for network in (start, model)]
        for source, rows in held_out.items()
    }
    assert curve("eval/arithmetic_loss") == pytest.approx(expected["arithmetic"], rel=1e-4)
    assert curve("eval/formulas_loss") == pytest.approx(expected["formulas"], rel=1e-4)
    whole = [(3 * one + two) / 4 for one, two in zip(*expected.values(), strict=True)]
    assert curve("eval/loss") == pytest.approx(whole, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"max_steps": 7}, [0, 3, 6, 7]),
        ({"max_steps": 4, "packing": True, "batch_size": 1, "max_length": 66}, [0, 3, 4]),
    ],
)
def test_the_loss_on_held_out_rows_is_told_after_each_epoch_and_at_the_end(
    tokenizer, tmp_path: Path, changes: dict, steps: list[int]
):
    """Six rows in batches of two, or two packed to a sequence."""
    held_out = {"arithmetic": rows_of(tokenizer, UNEVEN[:1])}
    train(tiny_model(tokenizer), tokenizer, tmp_path, other(**changes, logging_steps=5), held_out=held_out)

    lines = (tmp_path / "plots/metrics/eval/loss.tsv").read_text().splitlines()[1:]
    assert [int(line.split("\t")[0]) for line in lines] == steps


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"dtype": "bfloat16", "packing": True}])
def test_adapters_are_merged_into_an_ordinary_model(tokenizer, tmp_path: Path, changes: dict):
    import torch
    from transformers import AutoModelForCausalLM

    model, start = tiny_model(tokenizer), tiny_model(tokenizer)
    params = other(lora={"rank": 4, "alpha": 8, "target_modules": ["q_proj", "down_proj"]}, **changes)
    train(model, tokenizer, tmp_path / "metrics", params, machine=setup(gradient_checkpointing=bool(changes)))
    model.save_pretrained(tmp_path / "model")
    start.to(getattr(torch, params.dtype)).save_pretrained(tmp_path / "start")
    loaded, info = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", dtype=getattr(torch, params.dtype), output_loading_info=True
    )

    assert not any(info[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("model", "start")]
    assert configs[0] | {"use_cache": True} == configs[1]  # what transformers writes of any trained model
    changed = {
        name
        for (name, one), two in zip(loaded.named_parameters(), start.parameters(), strict=True)
        if not torch.equal(one, two)
    }
    assert changed == {"model.layers.0.self_attn.q_proj.weight", "model.layers.0.mlp.down_proj.weight"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "machine", "message"),
    [
        ({"lora": {"rank": 4, "alpha": 8, "target_modules": ["query"]}}, {}, "lora.target_modules.*q_proj.*got query"),
        ({"dtype": "bfloat16"}, {"attention": "flash_attention_2"}, "attention: expected flash_attention_2 where"),
        ({}, {"attention": "flash_attention_2"}, "for dtype float32, which flash_attention_2 does not know"),
        ({}, {"liger": True}, "liger: expected the package liger-kernel and a GPU, got .*no GPU"),
    ],
)
def test_what_this_machine_or_model_lacks_is_refused(
    tokenizer, tmp_path: Path, changes: dict, machine: dict, message: str
):
    import torch

    if torch.cuda.is_available():
        pytest.skip("a GPU may have them")
    with pytest.raises(InputError, match=message):
        trainer_of(tiny_model(tokenizer), tokenizer, other(**changes), tmp_path, machine=setup(**machine))


@pytest.mark.parametrize("strategy", ["zero3", "fsdp"])
def test_adapters_are_refused_where_the_weights_are_shared_out(
    strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Before anything is read: there is neither a student nor a row here."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(
        InputError, match=f"none, ddp or zero2 with lora, .* got {strategy}.* Set launch.strategy: zero2"
    ):
        learn_branch(tmp_path, other(lora={"rank": 4, "alpha": 8}), setup(strategy, processes=2))


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_an_error(tokenizer, tmp_path: Path):
    with pytest.raises(StageError, match="a finite loss, got nan"):
        train(tiny_model(tokenizer), tokenizer, tmp_path, other(learning_rate=1e30, max_grad_norm=1e30))


@pytest.mark.slow
def test_a_branch_is_whole_and_its_cost_tells_what_was_left_out(tokenizer, tmp_path: Path, monkeypatch):
    from branchmerge.chat import contract
    from branchmerge.training.run import fine_tune

    make_student(tmp_path)
    monkeypatch.chdir(tmp_path)
    dataset = sft_set(tmp_path, [*QUESTIONS, "9" * 100])
    for name in ("one", "two"):
        fine_tune(
            name=name,
            datasets=[dataset],
            params=other(overlong="drop", held_out_rows=2, packing=True, max_steps=2),
            seed=SEED,
            setup=ALONE,
            output=tmp_path / name,
            metrics=tmp_path / "metrics" / name,
        )
    cost = json.loads((tmp_path / "reports/cost/one.json").read_text())

    assert folder_hash(tmp_path / "one") == folder_hash(tmp_path / "two")
    assert (cost["overlong_rows"], cost["held_out_rows"], cost["steps"]) == (1, 2, 2)
    assert contract.check_contract(tmp_path / "one") == contract.check_contract(tmp_path / "models/student")
