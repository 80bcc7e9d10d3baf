"""Whole rows side by side in one sequence, as if each were alone.

Attention of a packed row must end at its start. transformers builds such a mask for SDPA and eager
attention from position ids that start again, but only where it is given no attention mask and no
cache; FlashAttention's kernels take the same from the rows' bounds. Any other way the rows see each
other in silence, so it is measured before the first step.

Shapes: B packed sequences, T tokens of the longest.
"""

from dataclasses import dataclass
from typing import Any

from branchmerge.core.errors import StageError

_PROBE_TOKENS = 16
_MAX_LEAK = 0.01  # of the change in the row itself; rows that see each other measured 0.1 and more


def pack(rows: Any, max_length: int) -> Any:
    """Rows of input_ids and labels packed by TRL's best-fit decreasing, with the column seq_lengths.

    Raises:
        StageError: TRL lost tokens, as it does with rows above max_length, which it cuts.
    """
    import pyarrow.compute as pc
    from trl import pack_dataset

    packed = pack_dataset(rows, max_length, "bfd")
    before, after = (pc.sum(pc.list_value_length(data.data["input_ids"])).as_py() for data in (rows, packed))
    if before != after:
        raise StageError(
            where="packing",
            expected=f"{before} tokens, as before packing",
            got=f"{after}: TRL cuts rows above max_length",
            do=f"keep rows within {max_length} tokens",
        )
    return packed


@dataclass(frozen=True)
class PackedRows:
    """Collates packed sequences into (B, T), with position ids that start again at every row.

    A model must not be given the attention mask, which only counts the tokens: with it, transformers
    no longer reads the position ids as bounds. TRL's own collator lays all sequences end to end, which
    costs attention (B T)^2 where the kernel has no notion of rows.
    """

    pad_token_id: int

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch: input_ids, labels, position_ids and attention_mask, each (B, T)."""
        import torch
        from torch.nn.utils.rnn import pad_sequence

        def padded(columns: list[Any], value: int) -> Any:  # -> (B, T)
            return pad_sequence(columns, batch_first=True, padding_value=value)

        ids = [torch.tensor(example["input_ids"]) for example in examples]
        lengths = [example.get("seq_lengths") or [len(example["input_ids"])] for example in examples]
        return {
            "input_ids": padded(ids, self.pad_token_id),
            "labels": padded([torch.tensor(example["labels"]) for example in examples], -100),
            "attention_mask": padded([torch.ones_like(row) for row in ids], 0),
            # padding has position 0 throughout, so each such token is a row of its own
            "position_ids": padded([torch.cat([torch.arange(n) for n in row]) for row in lengths], 0),
        }


def check_apart(model: Any, collate: Any) -> None:
    """Refuse a model in which a packed row sees the one before it.

    Two rows are packed; another first row must leave the logits of the second as they are.

    Args:
        model: As it trains, wrapped or not.
        collate: The collator it trains with.

    Raises:
        StageError: The second row noticed.
    """
    import torch

    device = next(model.parameters()).device
    second = list(range(_PROBE_TOKENS))
    logits = []
    was_training = model.training
    model.eval()
    for first in (list(range(_PROBE_TOKENS)), list(reversed(range(_PROBE_TOKENS, 2 * _PROBE_TOKENS)))):
        ids = first + second
        batch = collate([{"input_ids": ids, "labels": ids, "seq_lengths": [_PROBE_TOKENS, _PROBE_TOKENS]}])
        inputs = {key: value.to(device) if hasattr(value, "to") else value for key, value in batch.items()}
        with torch.no_grad():
            logits.append(model(**without_labels_and_mask(inputs), use_cache=False).logits[0])  # (T, vocabulary)
    model.train(was_training)
    own, leak = (logits[0] - logits[1]).abs().float().split(_PROBE_TOKENS)
    if not leak.max() <= _MAX_LEAK * own.max():
        raise StageError(
            where=f"packing with attention {getattr(model, 'module', model).config._attn_implementation}",
            expected="rows that do not see each other",
            got=f"a row whose logits change by {float(leak.max()):.2g} with the row before it",
            do="set packing: false, or another attention",
        )


def without_labels_and_mask(inputs: dict[str, Any]) -> dict[str, Any]:
    """What a model is given of a packed batch to compute logits."""
    return {key: value for key, value in inputs.items() if key not in ("attention_mask", "labels")}
