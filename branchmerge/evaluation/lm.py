"""A respondent behind lm-eval's interface: any of its tasks runs through our engines and row store.

lm-eval's own cache of responses is not used: it does not know the weights, and skips sampled requests.
"""

import json
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row
from branchmerge.engines.engine import Completion, PromptSampling, Request, Sampling
from branchmerge.engines.positions import positions_of, too_long
from branchmerge.engines.transformers import made_with
from branchmerge.evaluation.respondent import Respondent

DEFAULT_MAX_TOKENS = 256  # lm-eval's, where a task says nothing
LIMITS = ("max_gen_toks", "max_new_tokens", "max_tokens")  # three names of one setting
_KNOWN = {"until", "do_sample", "temperature", "top_p", *LIMITS}
# settings that no engine of ours has -> the values at which they have no effect
_IDLE = {
    "repetition_penalty": (1,),
    "length_penalty": (1,),
    "num_beams": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "min_p": (0,),
    "top_k": (0, -1),
}
_SCORING = PromptSampling(temperature=0, top_p=1, max_tokens=1)  # names likelihoods; nothing is sampled


class RespondentLM(LM):  # type: ignore[misc]  # lm-eval is untyped
    """lm-eval's model for a respondent.

    Args:
        is_chat: Prompts were rendered by the model's template; others begin with what the tokenizer begins a text with.
        has_generated: Whether a task asked for text.
    """

    def __init__(self, respondent: Respondent, dtype: str, seed: int, is_chat: bool) -> None:
        super().__init__()
        import transformers

        self.has_generated = False
        self._is_chat = is_chat
        self._respondent, self._dtype, self._seed = respondent, dtype, seed
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(respondent.folder)
        self._answers: dict[str, list[Row]] = {}  # a request's arguments -> its rows of the row store

    @property
    def tokenizer_name(self) -> str:
        """For lm-eval's keys."""
        return self._respondent.model

    def chat_template(self, chat_template: bool | str = False) -> str:
        """For lm-eval's records."""
        return str(self.tokenizer.chat_template or "")

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Messages as the model's template renders them."""
        text: str = self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )
        return text

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The answers in the order of the requests; a request that comes k times gets k samples."""
        self.has_generated = True
        groups: dict[str, list[Instance]] = {}
        for request in requests:
            groups.setdefault(json.dumps(request.args[1], sort_keys=True), []).append(request)
        for settings, of in groups.items():
            self._ask(of, self._sampling(json.loads(settings), of[0]))
        given: Counter[str] = Counter()
        texts = []
        for name in map(_name, (request.args for request in requests)):
            texts.append(str(self._answers[name][given[name]]["response"] or ""))
            given[name] += 1
        return texts

    def rows_of(self, arguments: Sequence[Any]) -> list[Row]:
        """The rows of the row store that answer a request with these arguments: a text or text and settings."""
        return self._answers[_name(arguments)]

    def _ask(self, requests: list[Instance], sampling: Sampling) -> None:
        counts = Counter(_name(request.args) for request in requests)
        firsts = {_name(request.args): request for request in requests}
        for count in sorted(set(counts.values())):
            of = {name: request for name, request in firsts.items() if counts[name] == count}
            samples = 1 if sampling.temperature == 0 else count  # greedy answers are all alike
            rows = self._rows([request.args[0] for request in of.values()], sampling, samples, requests)
            for place, name in enumerate(of):
                its = rows[place * samples : (place + 1) * samples]
                self._answers[name] = its * (count // samples)

    def _rows(self, prompts: list[str], sampling: Sampling, samples: int, of: list[Instance]) -> list[Row]:
        start = "" if self._is_chat else self.tokenizer.decode(self.tokenizer("")["input_ids"])
        questions = [
            {"prompt_id": str(place), "question": start + prompt.removeprefix(start)}
            for place, prompt in enumerate(prompts)
        ]
        return self._respondent.answers(questions, sampling, samples, self._seed, f"task {of[0].task_name}")

    def _sampling(self, settings: dict[str, Any], request: Instance) -> PromptSampling:
        """A task's generation_kwargs as a sampling.

        Raises:
            InputError: It asks for what no engine of ours does.
        """
        unknown = sorted(
            name
            for name, value in settings.items()
            if name not in _KNOWN and value is not None and value not in _IDLE.get(name, ())
        )
        if unknown:
            raise InputError(
                where=f"generation_kwargs of lm-eval's task {request.task_name}",
                expected=f"{', '.join(sorted(_KNOWN))}, or others at what has no effect",
                got=", ".join(f"{name} {settings[name]}" for name in unknown),
                do="make a task of your own that includes it with other generation_kwargs, in tasks/",
            )
        limit = next((settings[name] for name in LIMITS if settings.get(name)), DEFAULT_MAX_TOKENS)
        until = settings.get("until") or []
        is_greedy = not settings.get("do_sample", bool(settings.get("temperature")))
        return PromptSampling.model_validate(
            {
                "temperature": 0 if is_greedy else settings.get("temperature", 1.0),
                "top_p": settings.get("top_p") or 1.0,
                "max_tokens": int(limit),
                "stop": [until] if isinstance(until, str) else [stop for stop in until if stop],
                "dtype": self._dtype,
            }
        )

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Of each continuation: its log-probability (nats), and whether it is what greedy decoding writes."""
        found = self._scored("loglikelihood", requests)
        return [(float(total), bool(is_greedy)) for total, is_greedy in found]

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Of each whole text: its log-probability (nats)."""
        return [float(total) for total in self._scored("loglikelihood_rolling", requests)]

    def _scored(self, method: str, requests: list[Instance]) -> list[Any]:
        questions = [
            {"prompt_id": str(place), "question": json.dumps([method, *request.args])}
            for place, request in enumerate(requests)
        ]
        scorer = self._respondent.scoring(
            lambda: _Scorer(self._respondent.folder, self._dtype, self._respondent.threads, self._respondent.batch_size)
        )
        rows = scorer.answers(
            questions,
            _SCORING.model_copy(update={"dtype": self._dtype}),
            1,
            0,
            f"task {requests[0].task_name}",
            quiet=True,
        )
        self._answers |= {_name(request.args): [row] for request, row in zip(requests, rows, strict=True)}
        return [json.loads(row["response"]) for row in rows]


def _name(arguments: Sequence[Any]) -> str:
    return json.dumps(list(arguments), sort_keys=True)


class _Scorer:
    """An engine whose questions are requests for likelihoods and whose answers are numbers, both as JSON: lm-eval's
    model of transformers computes them."""

    def __init__(self, folder: Path, dtype: str, threads: int, batch_size: int) -> None:
        import torch
        from lm_eval.models.huggingface import HFLM

        torch.set_num_threads(threads)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model = HFLM(pretrained=str(folder), device=device, dtype=dtype, batch_size=batch_size)
        self._positions = positions_of(self._model.model.config)
        self.made_with = made_with("lm-eval hf", self._model.model.dtype, threads)

    def under(self, sampling: Sampling) -> "_Scorer":
        """Itself: nothing is sampled."""
        return self

    def prompt_text(self, question: str) -> str:
        """The request."""
        return question

    def complete(self, requests: Iterator[Request]) -> Generator[Completion]:
        """All at once: lm-eval sorts them by length, and shares contexts."""
        asked = []
        for ask in requests:
            method, *texts = json.loads(ask.question)
            count = len(self._model.tok_encode("".join(texts)))
            if method == "loglikelihood" and (error := too_long(count, 0, self._positions)):  # HFLM would cut it
                yield Completion(ask.trace_id, None, "error", error=error)
            else:
                asked.append(ask)
        for method in ("loglikelihood", "loglikelihood_rolling"):
            of = [(ask, args) for ask in asked for name, *args in [json.loads(ask.question)] if name == method]
            instances = [Instance(method, {}, tuple(args), place) for place, (_, args) in enumerate(of)]
            found = getattr(self._model, method)(instances, disable_tqdm=True) if instances else []
            for (ask, _), result in zip(of, found, strict=True):
                yield Completion(ask.trace_id, json.dumps(result), "stop")
