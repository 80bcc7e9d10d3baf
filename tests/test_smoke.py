"""A merged model that is broken does not pass the smoke gate, and what it did is kept."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from branchmerge.chat.faults import is_loop
from branchmerge.core.errors import StageError
from branchmerge.merging.smoke import SmokeParams, check_smoke

LOOPS = ["ab" * 20, "so: " + "1+1=2; " * 6, "well " + "and so on and so forth, " * 7 + "and so", "0" * 40]
NO_LOOPS = ["", "100000", "1+1=2; 2+2=4; 3+3=6; 4+4=8; 5+5=10", "a a a", "x" * 4 + "y"]


@pytest.mark.parametrize("text", LOOPS)
def test_the_same_text_again_and_again_is_a_loop(text: str):
    assert is_loop(text)


@pytest.mark.parametrize("text", NO_LOOPS)
def test_other_texts_are_no_loops(text: str):
    assert not is_loop(text)


ANSWER = "<think>\n1+1=2\n</think>\n2"
STRICT = SmokeParams(
    rows_per_domain=2,
    max_tokens=40,
    dtype="float32",
    min_closed_ratio=1.0,
    min_stopped_ratio=1.0,
    max_loop_ratio=0.0,
    max_loss_ratio=1.0,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/math.parquet and a tiny model that has learnt its one answer by heart, and a student."""
    import torch

    from branchmerge.bases.scratch import make_network, make_tokenizer
    from branchmerge.chat.conversation import exchange, training_row
    from branchmerge.core.files import write_rows
    from branchmerge.core.records import SFT
    from branchmerge.sources.problems import Problem
    from tests.conftest import TINY

    folder = tmp_path_factory.mktemp("smoke")
    tokenizer = make_tokenizer([Problem("1+1?", "1+1=2", "2")], vocab_size=384)
    model = make_network(TINY, tokenizer, seed=0)
    messages = exchange("1+1?", ANSWER)
    rows = [{"trace_id": f"0000000{i}", "domain": "math", "messages": messages, "n_tokens": 30} for i in (1, 2)]
    write_rows(folder / "math.parquet", SFT, rows)
    for name in ("student", "merged"):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
        if name == "student":
            row = training_row(tokenizer, messages)
            ids = torch.tensor([row["input_ids"]])
            labels = torch.where(torch.tensor([row["completion_mask"]]) == 1, ids, -100)
            optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
            for _ in range(60):
                model(input_ids=ids, labels=labels).loss.backward()
                optimiser.step()
                optimiser.zero_grad()
    return folder


@pytest.fixture
def merged(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "merged", tmp_path / "merged"))


def check(trained: Path, merged: Path, **changes: Any) -> dict[str, Any]:
    evidence = merged.parent / "smoke.json"
    params = STRICT.model_copy(update=changes)
    check_smoke(merged, {"student": trained / "student"}, {"math": trained / "math.parquet"}, params, 1, evidence)
    content: dict[str, Any] = json.loads(evidence.read_text())
    return content


@pytest.mark.slow
def test_a_model_that_learnt_its_answers_passes(trained: Path, merged: Path):
    found = check(trained, merged)

    assert [answer["response"] for answer in found["answers"]] == [ANSWER] * 2
    assert found["losses"]["merged"]["math"] < found["losses"]["student"]["math"]
    assert found["failed"] == []


def change_weights(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        weights = load_file(folder / "model.safetensors")
        change(weights)
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    return plant


def no_stop_token(folder: Path) -> None:
    for name in ("tokenizer_config.json", "config.json", "generation_config.json"):
        settings = json.loads((folder / name).read_text())
        settings |= {"eos_token": "<|im_start|>"} if name.startswith("tokenizer") else {"eos_token_id": 1}
        (folder / name).write_text(json.dumps(settings))


def broken_tokenizer(folder: Path) -> None:
    """The ids of all tokens but the special ones turned round."""
    content = json.loads((folder / "tokenizer.json").read_text())
    special = {token["id"] for token in content["added_tokens"]}
    ids = [each for each in content["model"]["vocab"].values() if each not in special]
    turned = dict(zip(ids, reversed(ids), strict=True))
    content["model"]["vocab"] = {key: turned.get(each, each) for key, each in content["model"]["vocab"].items()}
    (folder / "tokenizer.json").write_text(json.dumps(content))


def looping(weights: dict[str, Any]) -> None:
    """Attention and MLP gone, what is left answers a token with itself."""
    for name, each in weights.items():
        if "o_proj" in name or "down_proj" in name:
            each.zero_()


NORM = "model.norm.weight"
PLANTED = {
    "no number": (change_weights(lambda weights: weights[NORM].fill_(float("nan"))), "not finite: model.norm.weight"),
    "a weight missing": (change_weights(lambda weights: weights.pop(NORM)), "missing: model.norm.weight"),
    "noise": (change_weights(lambda weights: weights["model.embed_tokens.weight"].normal_()), "loss .* in math above"),
    "no stop token": (no_stop_token, "stopped_ratio 0.00 below min_stopped_ratio 1"),
    "a broken tokenizer": (broken_tokenizer, "loss .* in math above"),
    "a loop": (change_weights(looping), "loop_ratio 1.00 above max_loop_ratio 0"),
    "an open thought": (change_weights(looping), "closed_ratio 0.00 below min_closed_ratio 1"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_fails_the_gate(trained: Path, merged: Path, name: str):
    plant, message = PLANTED[name]
    plant(merged)

    with pytest.raises(StageError, match=message):
        check(trained, merged)


@pytest.mark.slow
def test_the_evidence_of_a_failure_is_kept(trained: Path, merged: Path):
    PLANTED["a loop"][0](merged)
    with pytest.raises(StageError, match=r"smoke\.json"):
        check(trained, merged)
    found = json.loads((merged.parent / "smoke.json").read_text())

    assert found["failed"]
    assert found["answers"][0]["is_loop"]
    assert (merged / "model.safetensors").is_file()


@pytest.mark.slow
def test_a_check_that_is_null_is_off(trained: Path, merged: Path):
    PLANTED["a loop"][0](merged)
    off = dict.fromkeys(("min_closed_ratio", "min_stopped_ratio", "max_loop_ratio", "max_loss_ratio"))

    assert check(trained, merged, **off)["failed"] == []
