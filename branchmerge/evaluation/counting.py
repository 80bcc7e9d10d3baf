"""lm-eval's model of transformers, which also tells how many tokens each answer took and whether it ended by itself."""

from typing import Any, Literal, NamedTuple

from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM


class Written(NamedTuple):
    """What a model wrote to one question.

    Args:
        n_tokens: Generated, the stop token included; the text tokenised again may have more or fewer.
    """

    text: str
    n_tokens: int
    finish_reason: Literal["stop", "length"]


class CountingLM(HFLM):  # type: ignore[misc]  # lm-eval is untyped
    """An HFLM whose answers are `Written` instead of texts."""

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[Written]:
        """The answers in the order of the requests.

        HFLM generates those of like settings together, longest prompt first, and keeps only the texts. Here it gets
        them sorted so already: then the tokens that `_model_generate` sees are in the order of the texts.
        """
        answers: dict[int, Written] = {}
        for together in self._in_order(requests):
            self._ends: list[tuple[int, Literal["stop", "length"]]] = []
            texts = super().generate_until([requests[place] for place in together], disable_tqdm)
            written = (Written(text, *end) for text, end in zip(texts, self._ends, strict=True))
            answers |= zip(together, written, strict=True)
        return [answers[place] for place in range(len(requests))]

    def _in_order(self, requests: list[Instance]) -> list[list[int]]:
        """Places of the requests of each settings, as HFLM sorts them."""
        groups: dict[str, list[int]] = {}
        for place, (_, settings) in enumerate(request.args for request in requests):
            groups.setdefault(repr(settings), []).append(place)
        prompts = [request.args[0] for request in requests]
        return [
            sorted(group, key=lambda place: (-len(self.tok_encode(prompts[place])), prompts[place]))
            for group in groups.values()
        ]

    def _model_generate(self, context: Any, max_length: int, stop: list[str], **settings: Any) -> Any:
        generated = super()._model_generate(context, max_length, stop, **settings)
        self._ends += [self._end(ids) for ids in generated[:, context.shape[1] :].tolist()]
        return generated

    def _end(self, ids: list[int]) -> tuple[int, Literal["stop", "length"]]:
        """Tokens up to the first stop token; what follows fills up the batch."""
        stops = self.model.generation_config.eos_token_id
        known = {self.tokenizer.eos_token_id, *(stops if isinstance(stops, list) else [stops])}
        place = next((place for place, id_ in enumerate(ids) if id_ in known), None)
        return (len(ids), "length") if place is None else (place + 1, "stop")
