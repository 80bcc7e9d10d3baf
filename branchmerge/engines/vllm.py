"""Engine `vllm`: a model folder in this process, by vLLM's continuous batching."""

import copy
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from branchmerge.core.errors import InputError
from branchmerge.engines.engine import Completion, Request, Sampling, answered, prompt_of
from branchmerge.engines.positions import too_long


class VllmEngine:
    """vLLM's engine, fed row by row so that it is never idle between batches.

    Args:
        arguments: vLLM's own engine arguments, by their names: tensor_parallel_size, max_model_len, dtype...
    """

    def __init__(self, model: Path, sampling: Sampling, arguments: dict[str, Any]) -> None:
        try:
            import vllm
        except ImportError as error:
            raise InputError(
                where="machine.yaml: engine",
                expected="vLLM in this environment",
                got=str(error),
                do="install the extra cpu or gpu (README, Questions and teachers), or take the engine transformers",
            ) from None
        from vllm.platforms import current_platform

        self._sampling = sampling
        if current_platform.is_cpu():  # a prompt read in two steps rewinds its seed, which no CPU generator can
            arguments = {"enable_chunked_prefill": False} | arguments
        try:
            self._llm = vllm.LLM(
                model=str(model),
                dtype=_dtype(model, sampling.dtype),
                quantization=sampling.quantization,
                generation_config="vllm",  # nothing of the folder's own settings: they are not what was asked for
                **arguments,
            )
        except (TypeError, ValueError) as error:
            raise InputError(
                where="machine.yaml: vllm",
                expected="arguments of vllm.LLM",
                got=str(error),
                do="correct vllm in machine.yaml",
            ) from None
        self._tokenizer = self._llm.get_tokenizer()
        dtype = str(self._llm.llm_engine.vllm_config.model_config.dtype).removeprefix("torch.")
        self.made_with = f"vllm, {sampling.quantization or dtype}, {current_platform.device_name or 'gpu'}"
        self._positions = int(self._llm.llm_engine.vllm_config.model_config.max_model_len)
        self._params = _params(sampling)

    def under(self, sampling: Sampling) -> "VllmEngine":
        """The same model under another sampling."""
        other = copy.copy(self)
        other._sampling, other._params = sampling, _params(sampling)
        return other

    def prompt_text(self, question: str) -> str:
        """The text after which the model starts to answer."""
        return prompt_of(self._tokenizer, question, self._sampling).text

    def complete(self, requests: Iterator[Request]) -> Generator[Completion]:
        """Completions as vLLM ends them; twice as many rows as it runs at once are kept waiting inside."""
        from vllm.exceptions import VLLMValidationError

        engine = self._llm.llm_engine
        room = 2 * engine.vllm_config.scheduler_config.max_num_seqs
        under_way: dict[str, tuple[Request, str]] = {}  # trace_id -> the row, and what its answer starts with
        while True:
            while len(under_way) < room and (ask := next(requests, None)) is not None:
                try:
                    under_way[ask.trace_id] = ask, self._add(engine, ask)
                except (
                    ValueError,
                    VLLMValidationError,
                ) as error:  # vLLM refuses the row, as one too long for the model
                    yield Completion(ask.trace_id, None, "error", error=str(error))
            if not under_way:
                return
            for output in engine.step():
                if output.finished:
                    yield _completion(output, *under_way.pop(output.request_id))

    def _add(self, engine: Any, ask: Request) -> str:
        """Hand one row to vLLM; returns what its answer starts with."""
        prompt = prompt_of(self._tokenizer, ask.question, self._sampling)
        params = self._params.clone()
        params.seed = ask.seed
        ids = self._tokenizer(prompt.text, add_special_tokens=False)["input_ids"]
        if error := too_long(len(ids), self._sampling.max_tokens, self._positions):  # vLLM would cut the answer short
            raise ValueError(error)
        engine.add_request(ask.trace_id, {"prompt_token_ids": ids}, params)
        return prompt.opening


def _params(sampling: Sampling) -> Any:
    """vLLM's parameters, all others at what has no effect."""
    import vllm
    from vllm.sampling_params import RequestOutputKind

    return vllm.SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        max_tokens=sampling.max_tokens,
        stop=list(sampling.stop),
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _dtype(model: Path, asked: str) -> str:
    """The dtype of the weights; by `auto`, vLLM would make bfloat16 of float32."""
    if asked != "auto":
        return asked
    config = json.loads((model / "config.json").read_text())
    return str(config.get("dtype") or config.get("torch_dtype") or asked)


def _completion(output: Any, ask: Request, opening: str) -> Completion:
    (answer,) = output.outputs
    counts = len(output.prompt_token_ids), len(answer.token_ids)
    if answer.finish_reason not in ("stop", "length"):
        return Completion(ask.trace_id, None, "error", *counts, error=f"vLLM ended with {answer.finish_reason}")
    return answered(ask, opening, answer.text, answer.finish_reason, counts)
