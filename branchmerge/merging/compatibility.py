"""Whether models can be merged: from their configs, their tokenizers and the headers of their weights, in seconds.

A merge of models that differ in any of these goes through, and its result talks nonsense or does not stop.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.merging.tensors import TORCH_NAMES, Stored, stored_tensors

# of a config, what says nothing of the weights; its special tokens are compared as the tokenizer has them, since
# trainers write the tokenizer's into it
_IGNORED = {
    "_name_or_path",
    "transformers_version",
    "dtype",
    "torch_dtype",
    "use_cache",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
}
_TOKENIZER_PARTS = ("model", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
_SHOWN = 3


def check_compatible(student: Path, branches: dict[str, Path]) -> None:
    """Refuse branches that are not the student's own kind, with every difference.

    Args:
        branches: Folders by name; the first sets the dtype of all.

    Raises:
        InputError: A difference that a merge would not survive, or files that cannot be read.
    """
    problems = [f"{student}: {problem}" for problem in _own_problems(student)]
    first = next(iter(branches.values()))
    for folder in branches.values():
        problems += [f"{folder}: {problem}" for problem in _own_problems(folder)]
        differences = [*_differences(student, folder), *_dtype_differences(first, folder)]
        problems += [f"{folder}: {difference}" for difference in differences]
    if problems:
        raise InputError(
            where="merge.order",
            expected=f"branches that differ from {student} in nothing but the values of their weights",
            got="; ".join(problems),
            do="train these branches from this student, with its tokenizer and chat template",
        )


def _differences(student: Path, branch: Path) -> Iterator[str]:
    yield from _of_mappings("config", _config(student), _config(branch))
    ours, theirs = stored_tensors(student), stored_tensors(branch)
    tied = {"lm_head.weight"} if _config(student).get("tie_word_embeddings") else set()
    for title, names in (
        ("it lacks", set(ours) - set(theirs) - tied),
        ("it alone has", set(theirs) - set(ours) - tied),
    ):
        if names:
            yield f"{title} {_some(names)}"
    others = [name for name in ours if name in theirs and ours[name].shape != theirs[name].shape]
    yield from (_difference(f"the shape of {name}", ours[name].shape, theirs[name].shape) for name in others[:_SHOWN])
    yield from _of_mappings("tokenizer", _tokenizer(student), _tokenizer(branch))


def _dtype_differences(first: Path, branch: Path) -> Iterator[str]:
    """The student may have another dtype than the branches, all of which were trained alike."""
    ours, theirs = _dtypes(stored_tensors(first)), _dtypes(stored_tensors(branch))
    if ours != theirs:
        yield _difference("the dtype", ours, theirs)


def _own_problems(folder: Path) -> Iterator[str]:
    """What is wrong with one model by itself."""
    stored = stored_tensors(folder)
    strange = {tensor.dtype for tensor in stored.values() if "weight" in tensor.name} - set(TORCH_NAMES)
    if strange:
        yield f"the dtype of its weights is {_some(strange)}, not one of {', '.join(TORCH_NAMES)}"
    highest = max(_loaded_tokenizer(folder).get_vocab().values(), default=-1)
    embeddings = [tensor for name, tensor in stored.items() if name.endswith("embed_tokens.weight")]
    vocab_size = _config(folder).get("vocab_size")
    for tensor in embeddings:
        if tensor.shape[0] <= highest:
            yield f"{tensor.name} has {tensor.shape[0]} rows, and its tokenizer has the id {highest}"
        if vocab_size is not None and tensor.shape[0] != vocab_size:
            yield f"{tensor.name} has {tensor.shape[0]} rows, and its config says vocab_size {vocab_size}"


def _of_mappings(title: str, ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            yield _difference(f"{title}'s {key}", ours.get(key), theirs.get(key))


def _difference(what: str, ours: Any, theirs: Any) -> str:
    return f"{what} is {_short(theirs)}, not {_short(ours)}"


def _config(folder: Path) -> dict[str, Any]:
    """A config as transformers reads it, so that what one version leaves out and another writes is equal."""
    from transformers import AutoConfig

    config: dict[str, Any] = AutoConfig.from_pretrained(folder).to_dict()
    return {key: value for key, value in config.items() if key not in _IGNORED}


def _tokenizer(folder: Path) -> dict[str, Any]:
    """What decides how text becomes ids and messages text, the long parts as hashes.

    As transformers loads it, not as it is stored: by a config's model_type version 5 puts its own pre-tokenizer and
    normalizer in place of the file's, so the file that a trainer saves differs from the one that it loaded.
    """
    tokenizer = _loaded_tokenizer(folder)
    parts = json.loads(tokenizer.backend_tokenizer.to_str()) if tokenizer.is_fast else {}
    return {
        **{name: getattr(tokenizer, name) for name in _SPECIAL},
        **{part: _hash(parts.get(part)) for part in _TOKENIZER_PARTS},
        "vocabulary": _hash(tokenizer.get_vocab()),
        "chat template": _hash(tokenizer.chat_template),
    }


@cache
def _loaded_tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def _hash(value: Any) -> str | None:
    return None if value is None else hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _dtypes(stored: dict[str, Stored]) -> str:
    return _some({tensor.dtype for tensor in stored.values() if tensor.dtype in TORCH_NAMES})


def _some(names: set[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
