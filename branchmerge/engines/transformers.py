"""Engine `transformers`: a model folder in this process, on CPU or one GPU, in batches."""

from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import PositiveInt

from branchmerge.chat import conversation
from branchmerge.core.params import Params
from branchmerge.engines.engine import Completion, Request, Sampling, answered


class TransformersParams(Params):
    """How this engine runs.

    Args:
        batch_size: Answers sampled at once.
        dtype: Of the weights; "auto" takes that of the folder.
    """

    batch_size: PositiveInt
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"


class TransformersEngine:
    """A model that transformers loads and samples from."""

    def __init__(self, model: Path, sampling: Sampling, params: TransformersParams, threads: int) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._sampling, self._batch_size = sampling, params.batch_size
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(model, padding_side="left")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        network = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=params.dtype)
        self._network = network.to(self._device).eval()

    def prompt_text(self, question: str) -> str:
        """The text after which the model starts to answer."""
        return conversation.prompt(self._tokenizer, question, self._sampling.system, self._sampling.prefill).text

    def complete(self, requests: Iterator[Request]) -> Generator[Completion]:
        """Completions batch by batch; each depends on its own seed only, not on its neighbours."""
        while batch := list(islice(requests, self._batch_size)):
            yield from self._batch(batch)

    def _batch(self, batch: list[Request]) -> Iterator[Completion]:
        import torch

        sampling, tokenizer = self._sampling, self._tokenizer
        prompts = [conversation.prompt(tokenizer, ask.question, sampling.system, sampling.prefill) for ask in batch]
        texts = [prompt.text for prompt in prompts]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(
            self._device
        )  # (B, T)
        with torch.inference_mode():
            output = self._network.generate(
                **inputs,
                do_sample=False,  # the draw is made by the last of the processors
                temperature=None,
                top_p=None,
                top_k=None,
                repetition_penalty=1.0,
                logits_processor=_processors(sampling, [ask.seed for ask in batch]),
                max_new_tokens=sampling.max_tokens,
                stop_strings=list(sampling.stop) or None,
                tokenizer=tokenizer,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        answers = output[:, inputs["input_ids"].shape[1] :].tolist()  # (B, max_tokens)
        lengths = inputs["attention_mask"].sum(dim=1).tolist()
        for ask, prompt, ids, prompt_tokens in zip(batch, prompts, answers, lengths, strict=True):
            yield self._completion(ask, prompt.opening, ids, prompt_tokens)

    def _completion(self, ask: Request, opening: str, ids: list[int], prompt_tokens: int) -> Completion:
        eos, pad = self._tokenizer.eos_token_id, self._tokenizer.pad_token_id
        end = min((ids.index(id_) for id_ in (eos, pad) if id_ in ids), default=len(ids))
        text = self._tokenizer.decode(ids[:end], skip_special_tokens=True)
        stops = [text.index(stop) for stop in self._sampling.stop if stop in text]
        if stops:
            return answered(ask, opening, text[: min(stops)], "stop", (prompt_tokens, end))
        is_ended = end < len(ids) and ids[end] == eos
        return answered(ask, opening, text, "stop" if is_ended else "length", (prompt_tokens, end + is_ended))


def _processors(sampling: Sampling, seeds: list[int]) -> Any:
    """Temperature, nucleus, then the draw: Gumbel noise from each row's own generator, whose maximum is a sample."""
    import torch
    from transformers import LogitsProcessor, LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

    class Draw(LogitsProcessor):  # type: ignore[misc]  # transformers is untyped
        def __init__(self) -> None:
            self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]

        def __call__(self, input_ids: Any, scores: Any) -> Any:  # (B, T), (B, vocab) -> (B, vocab)
            uniform = torch.stack([torch.rand(scores.shape[1], generator=one) for one in self.generators])
            return scores.float() - torch.log(-torch.log(uniform.to(scores.device)))

    if sampling.temperature == 0:
        return LogitsProcessorList([])
    nucleus = [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    return LogitsProcessorList([TemperatureLogitsWarper(float(sampling.temperature)), *nucleus, Draw()])
