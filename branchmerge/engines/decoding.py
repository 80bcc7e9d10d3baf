"""Tokens one after another, for many rows at once; a row that has ended leaves the batch and costs nothing any more.

transformers' generate keeps every row until the longest has ended, and obeys settings in a model's folder
(generation_config.json) that nobody asked for. Here a token follows from the model, the sampling and the row's seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from branchmerge.engines.engine import Sampling


@dataclass
class Row:
    """An answer that is being written.

    Args:
        place: In the batch that was asked.
        ids: Written so far; at its end the stop token, if it ended by one.
    """

    place: int
    generator: Any
    ids: list[int] = field(default_factory=list)


def decode(
    network: Any, tokenizer: Any, ids: Any, mask: Any, sampling: Sampling, seeds: list[int]
) -> Iterator[tuple[int, list[int]]]:
    """Place and ids of each row, as it ends: by the stop token, a stop text or at max_tokens.

    Args:
        ids: (B, T) prompts, padded on the left.
        mask: (B, T) 1 where there is a token.
        seeds: Of the draws of each row (B,).
    """
    import torch
    from transformers import DynamicCache

    rows = [Row(place, torch.Generator().manual_seed(seed)) for place, seed in enumerate(seeds)]
    cache = DynamicCache(config=network.config)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    while True:
        with torch.inference_mode():
            logits = (
                network(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=positions,
                    past_key_values=cache,
                    use_cache=True,
                    logits_to_keep=1,
                )
                .logits[:, -1]
                .float()
            )  # (rows, vocab)
            drawn = _draw(logits, sampling, [row.generator for row in rows])  # (rows,)
        for row, token in zip(rows, drawn.tolist(), strict=True):
            row.ids.append(token)
        on = [index for index, row in enumerate(rows) if not _has_ended(row.ids, tokenizer, sampling)]
        staying = set(on)
        yield from ((row.place, row.ids) for index, row in enumerate(rows) if index not in staying)
        if not on:
            return
        if len(on) < len(rows):
            kept = torch.tensor(on, device=mask.device)
            rows, drawn, mask = [rows[index] for index in on], drawn[kept], mask[kept]
            cache.reorder_cache(kept)
        ids = drawn[:, None]
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        positions = mask.sum(dim=1, keepdim=True) - 1


def _has_ended(ids: list[int], tokenizer: Any, sampling: Sampling) -> bool:
    if ids[-1] == tokenizer.eos_token_id or len(ids) >= sampling.max_tokens:
        return True
    if not sampling.stop:
        return False
    n_tail = max(map(len, sampling.stop)) + 8  # a token is a character or more, but for parts of one
    tail = tokenizer.decode(ids[-n_tail:], skip_special_tokens=True)
    return any(stop in tail for stop in sampling.stop)


def _draw(logits: Any, sampling: Sampling, generators: list[Any]) -> Any:
    """The next token of each row, (rows, vocab) -> (rows,): the likeliest, or a sample by Gumbel's noise.

    The noise comes from each row's own generator, so a row does not depend on its neighbours.
    """
    import torch
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    scores = TemperatureLogitsWarper(float(sampling.temperature))(None, logits)
    if sampling.top_p < 1:
        scores = TopPLogitsWarper(sampling.top_p)(None, scores)
    uniform = torch.stack([torch.rand(scores.shape[1], generator=one) for one in generators])
    return (scores.float() - torch.log(-torch.log(uniform.to(scores.device)))).argmax(dim=-1)
