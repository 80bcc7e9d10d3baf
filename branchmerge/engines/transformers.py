"""Engine `transformers`: a model folder in this process, on CPU or one GPU, in batches."""

from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from branchmerge.chat import conversation
from branchmerge.core.machine import Machine
from branchmerge.engines.engine import Completion, Request, Sampling, answered

_MAX_BATCH = 256
_PROMPT_TOKENS = 1024  # room for a prompt, where a batch is fitted to the memory


class TransformersMachine(Machine):
    """How this engine runs.

    Args:
        batch_size: Answers sampled at once; null for as many as have room, at most 256.
    """

    batch_size: PositiveInt | None = None


class TransformersEngine:
    """A model that transformers loads and samples from."""

    def __init__(self, model: Path, sampling: Sampling, machine: TransformersMachine, threads: int) -> None:
        import torch
        import transformers

        torch.set_num_threads(threads)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._sampling = sampling
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(model, padding_side="left")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        network = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=sampling.dtype)
        self._network = network.to(self._device).eval()
        self._batch_size = machine.batch_size or fitting_batch(network.config, sampling.max_tokens, at_most=_MAX_BATCH)
        self.made_with = made_with("transformers", network.dtype, threads)

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


def made_with(engine: str, dtype: Any, threads: int) -> str:
    """What may show in answers of a model that torch runs in this process."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu, {threads} threads"
    return f"{engine}, {str(dtype).removeprefix('torch.')}, {device}"


def fitting_batch(config: Any, max_tokens: int, at_most: int) -> int:
    """Answers whose keys and values take at most a quarter of the device's memory, at two float32 numbers each."""
    import psutil
    import torch

    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    row_bytes = (_PROMPT_TOKENS + max_tokens) * config.num_hidden_layers * heads * width * 2 * 4
    if torch.cuda.is_available():
        memory_bytes = torch.cuda.get_device_properties(0).total_memory
    else:
        memory_bytes = psutil.virtual_memory().total
    return int(min(max(memory_bytes // 4 // row_bytes, 1), at_most))
