"""The template contract: one rendering of a conversation, from training over merging to serving.

A model's folder records the hash of its chat template and of the token ids of a probe. Whoever takes
the model compares, so a template or tokenizer that was exchanged in between is found at once.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from branchmerge.chat import conversation
from branchmerge.core.errors import InputError
from branchmerge.core.files import write_json

FILE = "chat_contract.json"

_QUESTION = "What is 12*3?"
_THOUGHT = conversation.whole_response("12*3=36", "36")
_TOLD = "so that what the model is trained on is what it is asked"


def contract(tokenizer: Any) -> dict[str, str]:
    """What two models that render alike have in common.

    Raises:
        InputError: As check_template.
    """
    check_template(tokenizer)
    row = conversation.training_row(tokenizer, conversation.exchange(_QUESTION, _THOUGHT))
    return {
        "chat_template_sha256": hashlib.sha256(tokenizer.chat_template.encode()).hexdigest(),
        "probe_ids_sha256": hashlib.sha256(repr(row["input_ids"]).encode()).hexdigest(),
        "stop_token": tokenizer.eos_token,
    }


def write_contract(folder: Path, tokenizer: Any) -> None:
    """Record in a model's folder how its conversations are rendered."""
    write_json(folder / FILE, contract(tokenizer))


def check_contract(folder: Path) -> dict[str, str]:
    """The contract of a model's folder as its tokenizer keeps it now.

    Raises:
        InputError: It differs from the one recorded when the model was made; generation would not end at the stop
            token; or as check_template.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    now = contract(tokenizer)
    _check_generation(folder, tokenizer)
    record = folder / FILE
    made = json.loads(record.read_text()) if record.is_file() else now
    refuse_other(
        str(folder), made, now, "put the model's own tokenizer and template back, or make it again: dvc repro -f"
    )
    return now


def _check_generation(folder: Path, tokenizer: Any) -> None:
    """Refuse a model whose own settings let it write on after the stop token, as transformers and vLLM obey them."""
    settings = next(file for name in ("generation_config.json", "config.json") if (file := folder / name).is_file())
    stops = json.loads(settings.read_text()).get("eos_token_id")
    if tokenizer.eos_token_id not in (stops if isinstance(stops, list) else [stops]):
        raise InputError(
            where=f"{settings}: eos_token_id",
            expected=f"{tokenizer.eos_token_id}, the tokenizer's stop token {tokenizer.eos_token}",
            got=str(stops),
            do="correct the file, or an answer never ends",
        )


def refuse_other(where: str, expected: dict[str, str], got: dict[str, str], do: str) -> None:
    """Refuse a contract that differs from the expected one, naming what differs.

    Raises:
        InputError: They differ.
    """
    other = [key for key in expected if expected[key] != got.get(key)]
    if other:
        raise InputError(
            where=where,
            expected=", ".join(f"{key} {expected[key][:12]}" for key in other),
            got=", ".join(f"{key} {got.get(key, 'none')[:12]}" for key in other),
            do=do,
        )


def check_template(tokenizer: Any) -> None:
    """Refuse a chat template that would have a model trained on other tokens than it is asked with.

    Raises:
        InputError: As `conversation.rendered`; a template that renders today's date; a stop token that does not end
            the template's turns; think tags that decoding drops.
    """
    where = f"chat template of {tokenizer.name_or_path or 'this tokenizer'}"
    opening = conversation.prompt(tokenizer, _QUESTION).opening
    if "strftime_now" in tokenizer.chat_template:
        raise InputError(
            where=where,
            expected=f"the same prompt every day, {_TOLD}",
            got="one that renders today's date (strftime_now)",
            do="put a chat_template.jinja with a fixed date, or none, beside the tokenizer",
        )
    _check_stop_token(tokenizer, where)
    shown = tokenizer.decode(tokenizer(_THOUGHT, add_special_tokens=False)["input_ids"], skip_special_tokens=True)
    if conversation.response(shown) != conversation.response(_THOUGHT):
        raise InputError(
            where=where,
            expected="think tags that survive decoding",
            got=f"{shown!r} from {_THOUGHT!r}",
            do=f"make {conversation.THINK_OPEN} and {conversation.THINK_CLOSE} ordinary tokens:"
            " special: false in tokenizer.json",
        )
    assert opening == "" or opening.startswith(conversation.THINK_OPEN)


def _check_stop_token(tokenizer: Any, where: str) -> None:
    """Refuse a tokenizer whose stop token is not what its template writes after an answer."""
    answer = "thirty-six"
    text = conversation.rendered(tokenizer, conversation.exchange(_QUESTION, answer), add_generation_prompt=False)
    _, found, after = text.rpartition(answer)
    if not found or tokenizer.eos_token is None or not after.lstrip().startswith(tokenizer.eos_token):
        raise InputError(
            where=where,
            expected=f"an answer that ends with the tokenizer's stop token {tokenizer.eos_token}",
            got=repr(after[:40]) if found else "no answer in the rendered conversation",
            do="set the eos_token of tokenizer_config.json to what the template writes, or correct the template",
        )
