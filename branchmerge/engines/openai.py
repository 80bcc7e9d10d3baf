"""Engine `openai`: any server that speaks OpenAI's completions or chat, such as vLLM, SGLang or a paid API."""

import asyncio
import copy
import os
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from branchmerge.chat import conversation
from branchmerge.core.errors import InputError, StageError
from branchmerge.core.machine import Machine
from branchmerge.engines.engine import Completion, PromptSampling, Request, Sampling, prompt_of
from branchmerge.engines.replies import (
    TransientError,
    UnreachableError,
    chat_completion,
    retry_after_s,
    text_completion,
)

LONGEST_WAIT_S = 3600.0
_SERVERS_OF_WEIGHTS = {"vllm", "sglang"}
_NEUTRAL = {"repetition_penalty": 1.0, "top_k": -1, "min_p": 0.0}


class OpenAIMachine(Machine):
    """Where the server is and how hard it is asked.

    Args:
        url: Up to and with /v1.
        model: The name the server knows the model by; null for the one in served.json of the model's folder.
        api: "completions" sends token ids, so the prompt is ours to the last token and the folder needs a tokenizer;
            "chat" sends messages, and the server renders them.
        api_key_env: The environment variable that holds the key; null for none.
        concurrency: Requests under way at once.
        timeout_s: Longest wait for one whole answer.
        max_attempts: Calls a row may cost before it counts as failed.
        backoff_s: Scale of the random, doubling wait between attempts; a server's Retry-After goes before.
    """

    url: str = Field(pattern=r"^https?://[^\s/]+(/\S*)?$")
    model: str | None = None
    api: Literal["completions", "chat"] = "completions"
    api_key_env: str | None = None
    concurrency: PositiveInt = 64
    timeout_s: PositiveFloat = 1800
    max_attempts: PositiveInt = 6
    backoff_s: NonNegativeFloat = 1


class OpenAIEngine:
    """A server, asked over HTTP with bounded concurrency and retries."""

    def __init__(self, folder: Path, model: str, sampling: Sampling, params: OpenAIMachine) -> None:
        self._model, self._sampling, self._params = model, sampling, params
        self.made_with = f"openai, {model}"
        self._neutral: dict[str, float] = {}
        self._headers = _headers(params.api_key_env)
        self._tokenizer = _tokenizer(folder) if params.api == "completions" else None

    def under(self, sampling: Sampling) -> "OpenAIEngine":
        """The same server under another sampling."""
        other = copy.copy(self)
        other._sampling = sampling
        return other

    def prompt_text(self, question: str) -> str:
        """The text after which the model starts to answer; the messages where the server renders them."""
        if self._tokenizer is None:
            return "\n".join(f"{message['role']}: {message['content']}" for message in self._messages(question))
        return prompt_of(self._tokenizer, question, self._sampling).text

    def complete(self, requests: Iterator[Request]) -> Generator[Completion]:
        """Completions as they come back. The loop runs only while a completion is waited for.

        Raises:
            InputError: The server refuses the key, the model or the address.
            StageError: The server cannot be reached.
        """
        if self._tokenizer is None and isinstance(self._sampling, PromptSampling):
            raise InputError(
                where="machine.yaml: openai.api",
                expected="completions, since these prompts are whole already",
                got="chat, which would put a template around them",
                do="set openai.api: completions",
            )
        loop = asyncio.new_event_loop()
        done: deque[Completion] = deque()
        arrived, taken = asyncio.Event(), asyncio.Event()
        session = loop.run_until_complete(self._session())
        self._neutral = loop.run_until_complete(self._neutral_settings(session))
        tasks = [
            loop.create_task(self._worker(session, requests, done, arrived, taken))
            for _ in range(self._params.concurrency)
        ]
        try:
            running = set(tasks)
            while running:
                loop.run_until_complete(arrived.wait())
                arrived.clear()
                ended = {task for task in running if task.done()}
                while done:
                    yield done.popleft()
                taken.set()  # wakes the workers that wait, and holds for none after them
                taken.clear()
                for task in ended:
                    task.result()  # raises what ended the worker
                running -= ended
        finally:
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(session.close())
            loop.close()

    async def _session(self) -> Any:
        import aiohttp

        return aiohttp.ClientSession(
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=self._params.timeout_s),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def _neutral_settings(self, session: Any) -> dict[str, float]:
        """What a server of weights must be told not to take from the model's generation_config.json.

        OpenAI's own interface has no such settings, and refuses what it does not know.
        """
        import aiohttp

        try:
            async with session.get(f"{self._params.url.rstrip('/')}/models") as response:
                owners = {model.get("owned_by") for model in (await response.json())["data"]}
        except TimeoutError:
            raise StageError(
                where=f"{self._params.url}/models",
                expected=f"an answer within {self._params.timeout_s:g} s: which settings a server must be told",
                got="none",
                do="start the server, or raise openai.timeout_s in machine.yaml; answers so far are kept",
            ) from None
        except (aiohttp.ClientError, ValueError, KeyError, TypeError, AttributeError):
            return {}  # whatever is wrong with the server is told of the first row
        return _NEUTRAL if owners & _SERVERS_OF_WEIGHTS else {}

    async def _worker(
        self,
        session: Any,
        requests: Iterator[Request],
        done: deque[Completion],
        arrived: asyncio.Event,
        taken: asyncio.Event,
    ) -> None:
        """Rows one after another; the next is asked once the last is kept, so a kill loses `concurrency` at most."""
        try:
            for ask in requests:
                done.append(await self._answer(session, ask))
                arrived.set()
                await taken.wait()
        finally:
            arrived.set()

    async def _answer(self, session: Any, ask: Request) -> Completion:
        """One row, tried until it is answered or has cost max_attempts calls."""
        import tenacity

        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            stop=tenacity.stop_after_attempt(self._params.max_attempts),
            wait=self._wait_s,
            reraise=True,
        )
        wasted: list[tuple[int, int]] = []  # tokens of attempts that failed

        async def attempt() -> Completion:
            try:
                return await self._attempt(session, ask)
            except TransientError as error:
                wasted.append(error.counts)
                raise

        try:
            completion: Completion = await attempts(attempt)
        except UnreachableError as error:
            raise StageError(
                where=self._params.url,
                expected="a server that answers",
                got=f"{error}, {self._params.max_attempts} times",
                do="start the server or correct openai.url in machine.yaml; answers so far are kept",
            ) from None
        except TransientError as error:
            completion = Completion(ask.trace_id, None, error.finish_reason, error=str(error))
        return replace(
            completion,
            prompt_tokens=completion.prompt_tokens + sum(prompt for prompt, _ in wasted),
            completion_tokens=completion.completion_tokens + sum(answer for _, answer in wasted),
        )

    def _wait_s(self, state: Any) -> float:
        import tenacity

        backoff: float = tenacity.wait_random_exponential(multiplier=self._params.backoff_s, max=60)(state)
        asked: float = state.outcome.exception().retry_after_s
        return min(max(backoff, asked), LONGEST_WAIT_S)

    async def _attempt(self, session: Any, ask: Request) -> Completion:
        import aiohttp

        path, body = self._body(ask)
        try:
            async with session.post(f"{self._params.url.rstrip('/')}/{path}", json=body) as response:
                text = await response.text()
                status, headers = response.status, response.headers
        except aiohttp.InvalidURL as error:
            raise self._refused(path, f"the address {error}") from None
        except aiohttp.ClientConnectorError as error:
            raise UnreachableError(str(error)) from None
        except TimeoutError:
            raise TransientError(f"no answer within {self._params.timeout_s:g} s") from None
        except (aiohttp.ClientError, UnicodeDecodeError) as error:
            raise TransientError(f"{type(error).__name__}: {error}") from None
        if status in (401, 402, 403, 404):
            raise self._refused(path, f"{status} {text[:300]}")
        if status in (408, 409, 425, 429) or status >= 500:
            raise TransientError(f"{status} {text[:300]}", retry_after_s=retry_after_s(headers.get("Retry-After")))
        if status >= 400:
            return Completion(ask.trace_id, None, "error", error=f"{status} {text[:300]}")
        return self._read(ask, text)

    def _read(self, ask: Request, payload: str) -> Completion:
        if self._tokenizer is None:
            return chat_completion(ask, payload, self._sampling.prefill, self._sampling.max_tokens)
        given = prompt_of(self._tokenizer, ask.question, self._sampling)
        return text_completion(ask, payload, given.opening, self._sampling.max_tokens)

    def _refused(self, path: str, got: str) -> InputError:
        return InputError(
            where=f"{self._params.url}/{path}",
            expected=f"a server that lets us ask {self._model}",
            got=got,
            do="correct url, model and api_key_env of openai in machine.yaml, or pay; answers so far are kept",
        )

    def _body(self, ask: Request) -> tuple[str, dict[str, Any]]:
        sampling = self._sampling
        body: dict[str, Any] = {
            "model": self._model,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_tokens,
            "seed": ask.seed,
            "presence_penalty": 0,
            "frequency_penalty": 0,
        } | self._neutral
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if self._tokenizer is not None:
            ids = self._tokenizer(self.prompt_text(ask.question), add_special_tokens=False)["input_ids"]
            return "completions", body | {"prompt": ids}
        if sampling.prefill:  # vLLM's and SGLang's words for going on with a message
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        return "chat/completions", body | {"messages": self._messages(ask.question)}

    def _messages(self, question: str) -> list[conversation.Message]:
        sampling = self._sampling
        messages = [{"role": "system", "content": sampling.system}] if sampling.system is not None else []
        messages += [{"role": "user", "content": question}]
        return messages + ([{"role": "assistant", "content": sampling.prefill}] if sampling.prefill else [])


def _headers(api_key_env: str | None) -> dict[str, str]:
    if api_key_env is None:
        return {}
    if api_key_env not in os.environ:
        raise InputError(
            where="machine.yaml: openai.api_key_env",
            expected=f"the key in the environment variable {api_key_env}",
            got="no such variable",
            do=f"export {api_key_env}, or correct the name",
        )
    return {"Authorization": f"Bearer {os.environ[api_key_env]}"}


def _tokenizer(folder: Path) -> Any:
    import transformers

    if not (folder / "tokenizer_config.json").is_file():
        raise InputError(
            where="machine.yaml: openai.api",
            expected=f"a tokenizer in {folder}, since completions sends token ids",
            got="none",
            do="set openai.api to chat in machine.yaml",
        )
    return transformers.AutoTokenizer.from_pretrained(folder)
