"""Engine `transformers`: a model folder in this process, on CPU or one GPU, in batches."""

import copy
import inspect
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from branchmerge.core.cpu import cpu_of
from branchmerge.core.errors import InputError
from branchmerge.core.machine import Machine
from branchmerge.engines.decoding import decode
from branchmerge.engines.engine import Completion, Request, Sampling, answered, prompt_of
from branchmerge.engines.positions import positions_of, too_long

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
        if "past_key_values" not in inspect.signature(network.forward).parameters:
            raise InputError(
                where=str(model),
                expected="a model that keeps keys and values, which the engine transformers decodes",
                got=network.config.model_type,
                do="set engine: vllm in machine.yaml",
            )
        self._network = network.to(self._device).eval()
        self._machine, self._positions = machine, positions_of(network.config)
        self._batch_size = machine.batch_size or fitting_batch(network.config, sampling.max_tokens, at_most=_MAX_BATCH)
        self.made_with = made_with("transformers", network.dtype, threads)

    def under(self, sampling: Sampling) -> "TransformersEngine":
        """The same model under another sampling."""
        other = copy.copy(self)
        other._sampling = sampling
        other._batch_size = self._machine.batch_size or fitting_batch(
            self._network.config, sampling.max_tokens, at_most=_MAX_BATCH
        )
        return other

    def prompt_text(self, question: str) -> str:
        """The text after which the model starts to answer."""
        return prompt_of(self._tokenizer, question, self._sampling).text

    def complete(self, requests: Iterator[Request]) -> Generator[Completion]:
        """Completions as they end, batch by batch; each depends on its own seed only, not on its neighbours."""
        while batch := list(islice(requests, self._batch_size)):
            yield from self._batch(batch)

    def _batch(self, batch: list[Request]) -> Iterator[Completion]:
        sampling = self._sampling
        prompts = [prompt_of(self._tokenizer, ask.question, sampling) for ask in batch]
        counts = [
            len(ids)
            for ids in self._tokenizer([prompt.text for prompt in prompts], add_special_tokens=False)["input_ids"]
        ]
        fitting = []
        for ask, prompt, count in zip(batch, prompts, counts, strict=True):
            if error := too_long(count, sampling.max_tokens, self._positions):
                yield Completion(ask.trace_id, None, "error", error=error)
            else:
                fitting.append((ask, prompt, count))
        if not fitting:
            return
        texts = [prompt.text for _, prompt, _ in fitting]
        inputs = self._tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(self._device)
        seeds = [ask.seed for ask, _, _ in fitting]
        ended = decode(self._network, self._tokenizer, inputs["input_ids"], inputs["attention_mask"], sampling, seeds)
        for place, ids in ended:
            ask, prompt, count = fitting[place]
            yield self._completion(ask, prompt.opening, ids, count)

    def _completion(self, ask: Request, opening: str, ids: list[int], prompt_tokens: int) -> Completion:
        is_ended = ids[-1] == self._tokenizer.eos_token_id
        text = self._tokenizer.decode(ids[:-1] if is_ended else ids, skip_special_tokens=True)
        stops = [text.index(stop) for stop in self._sampling.stop if stop in text]
        whole = text[: min(stops)] if stops else text
        return answered(ask, opening, whole, "stop" if is_ended or stops else "length", (prompt_tokens, len(ids)))


def made_with(engine: str, dtype: Any, threads: int) -> str:
    """What may show in answers of a model that torch runs in this process."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else cpu_of(threads)
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
