"""How long a row a model can read: what of its config says so, and rows that would be longer."""

from pathlib import Path
from typing import Any


def positions_of(config: Any) -> int | None:
    """Tokens of the longest row, prompt and answer; None where the config does not say.

    A rope that is stretched for longer rows (yarn, linear, dynamic) gives so many times the positions that it was
    trained with. A sliding window limits what one layer sees, not how long a row may be; a tokenizer's
    model_max_length is a habit of its makers (16,384 for R1-Distill-Qwen, whose weights read 131,072).
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length")
    known = next((int(limit) for name in names if (limit := getattr(text, name, None))), None)
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    factor, trained = rope.get("factor"), rope.get("original_max_position_embeddings")
    if known and factor and rope.get("rope_type", rope.get("type")) in ("yarn", "linear", "dynamic"):
        return max(known, int(factor * (trained or known)))
    return known


def positions_of_folder(folder: Path) -> int | None:
    """Tokens of the longest row that the model in a folder can read; None where its config does not say."""
    from transformers import AutoConfig

    return positions_of(AutoConfig.from_pretrained(folder))


def too_long(prompt_tokens: int, max_tokens: int, positions: int | None) -> str | None:
    """Why a row is not asked: its longest answer would end beyond the model's positions; None where it would not."""
    if positions is None or prompt_tokens + max_tokens <= positions:
        return None
    return (
        f"{prompt_tokens} tokens of the prompt and {max_tokens} of max_tokens exceed the model's {positions} positions"
    )
