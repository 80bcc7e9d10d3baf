"""Every wanted row of the row store answered once: with a budget that holds, and progress a person can read."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import chain

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from stages.shared.engines.engine import FAILED, Completion, Engine, Request
from stages.shared.errors import StageError
from stages.shared.params import Params
from stages.shared.store import Store

_POLL_S = 0.2
_TEMPLATE_TOKENS = 256  # room for a chat template's own tokens in the worst case of a prompt


class LimitsParams(Params):
    """What a set of answers may cost, and how many may fail.

    Args:
        max_tokens_total: Most tokens, prompts and answers, that the wanted rows may cost in all; null for no limit.
        max_cost_usd: Most money the same may cost at the prices below; null for no limit.
        prompt_usd_per_million, completion_usd_per_million: Prices of a million tokens.
        max_failed_ratio: Largest share of rows that may end malformed or in error.
    """

    max_tokens_total: PositiveInt | None = None
    max_cost_usd: PositiveFloat | None = None
    prompt_usd_per_million: NonNegativeFloat = 0
    completion_usd_per_million: NonNegativeFloat = 0
    max_failed_ratio: float = Field(default=0.01, ge=0, le=1)


class Ledger:
    """Tokens and money of the wanted rows: spent, and set aside for those under way.

    A row is let through only when its worst case still fits; so the limits hold whatever the answers' lengths.
    """

    def __init__(self, limits: LimitsParams, prompt_tokens: int, completion_tokens: int, max_tokens: int) -> None:
        self._limits, self._max_tokens = limits, max_tokens
        self.prompt_tokens, self.completion_tokens = prompt_tokens, completion_tokens
        self._set_aside: dict[str, int] = {}  # trace_id -> prompt tokens at worst
        self._aside_tokens = 0

    @property
    def tokens(self) -> int:
        """Tokens spent, prompts and answers."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def cost_usd(self) -> float:
        """Money spent."""
        return self._price(self.prompt_tokens, self.completion_tokens)

    def _price(self, prompt_tokens: int, completion_tokens: int) -> float:
        limits = self._limits
        usd = prompt_tokens * limits.prompt_usd_per_million + completion_tokens * limits.completion_usd_per_million
        return usd / 1e6

    def admits(self, ask: Request, overhead: int) -> bool:
        """Whether one more row fits at its worst; if so, its share is set aside.

        Args:
            overhead: Bytes of text that every prompt has besides its question.
        """
        worst = len(ask.question.encode()) + overhead + _TEMPLATE_TOKENS  # a token is a byte or more
        prompts = self._aside_tokens + worst
        answers = self._max_tokens * (len(self._set_aside) + 1)
        limits = self._limits
        if limits.max_tokens_total is not None and self.tokens + prompts + answers > limits.max_tokens_total:
            return False
        cost = self._price(self.prompt_tokens + prompts, self.completion_tokens + answers)
        if limits.max_cost_usd is not None and cost > limits.max_cost_usd:
            return False
        self._set_aside[ask.trace_id] = worst
        self._aside_tokens += worst
        return True

    def settle(self, completion: Completion) -> None:
        """Book what a row really cost."""
        self._aside_tokens -= self._set_aside.pop(completion.trace_id, 0)
        self.prompt_tokens += completion.prompt_tokens
        self.completion_tokens += completion.completion_tokens


def answer_all(
    store: Store, make_engine: Callable[[], Engine], limits: LimitsParams, max_tokens: int, overhead: int, label: str
) -> int:
    """Ask until every wanted row has an answer in the store; returns how many were asked here.

    The engine is made only if something is missing. Rows that another process asks are waited for.

    Raises:
        StageError: The budget is spent, or more rows failed than may.
    """
    tally = store.tally()
    total = tally.rows + store.missing()
    ledger = Ledger(limits, tally.prompt_tokens, tally.completion_tokens, max_tokens)
    engine: Engine | None = None
    asked, failed = 0, tally.failed
    with _Progress(label, total, ledger, limits) as progress:
        while missing := store.missing():
            progress.already(total - missing)
            store.release()
            admission = _Admission(store, ledger, overhead)
            first = next(admission, None)
            if first is None:
                if admission.is_refused:
                    raise _budget_spent(ledger, limits, label, total - missing, total)
                time.sleep(_POLL_S)
                continue
            if engine is None:
                engine = make_engine()
                print(f"first prompt of {label}:\n{engine.prompt_text(first.question)}", file=sys.stderr, flush=True)
            with closing(engine.complete(chain([first], admission))) as completions:
                for completion in completions:
                    answered = _checked(completion)
                    store.record(answered)
                    ledger.settle(answered)
                    asked += 1
                    failed += answered.finish_reason in FAILED
                    progress.show(answered)
                    _refuse_failures(store, failed, total, limits, label)
    _refuse_failures(store, store.tally().failed, total, limits, label)
    return asked


class _Admission:
    """Claimed rows as far as the budget admits them."""

    def __init__(self, store: Store, ledger: Ledger, overhead: int) -> None:
        self._rows = store.claims()
        self._ledger, self._overhead = ledger, overhead
        self.is_refused = False

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        if self.is_refused:
            raise StopIteration
        ask = next(self._rows)
        if not self._ledger.admits(ask, self._overhead):
            self.is_refused = True
            raise StopIteration
        return ask


def _checked(completion: Completion) -> Completion:
    """An answer that says nothing is called empty."""
    if completion.finish_reason == "stop" and not (completion.text or "").strip():
        return Completion(
            completion.trace_id, completion.text, "empty", completion.prompt_tokens, completion.completion_tokens
        )
    return completion


def _refuse_failures(store: Store, failed: int, total: int, limits: LimitsParams, label: str) -> None:
    if failed > limits.max_failed_ratio * total:
        raise StageError(
            where=label,
            expected=f"at most {limits.max_failed_ratio:.2%} of {total} rows to fail",
            got=f"{failed}, such as {store.failure()}",
            do=f"mend the cause, then ask again: python -m stages.traces --domain {label.split()[-1]} --retry-failed",
        )


def _budget_spent(ledger: Ledger, limits: LimitsParams, label: str, done: int, total: int) -> StageError:
    allowed = [
        f"{limits.max_tokens_total} tokens" if limits.max_tokens_total is not None else "",
        f"{limits.max_cost_usd:g} USD" if limits.max_cost_usd is not None else "",
    ]
    return StageError(
        where=label,
        expected=f"all {total} rows within {' and '.join(filter(None, allowed))}",
        got=f"{done} rows for {ledger.tokens} tokens and {ledger.cost_usd:.4g} USD, and the next may not fit",
        do="raise max_tokens_total or max_cost_usd of traces to go on from there; the answers are kept",
    )


class _Progress:
    """A bar with rows and tokens a second, and tokens and money spent and projected."""

    def __init__(self, label: str, total: int, ledger: Ledger, limits: LimitsParams) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(label, total=total, figures="")
        self._total, self._done, self._ledger = total, total, ledger
        self._is_priced = limits.prompt_usd_per_million + limits.completion_usd_per_million > 0
        self._start, self._shown = time.monotonic(), 0.0
        self._rows, self._tokens = 0, 0

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._draw()
        self._bar.stop()

    def already(self, done: int) -> None:
        """Set how many rows are answered, by whomever."""
        self._done = done
        self._draw()

    def show(self, completion: Completion) -> None:
        """Count one row answered here; the bar is redrawn a few times a second."""
        self._done += 1
        self._rows += 1
        self._tokens += completion.completion_tokens
        if time.monotonic() - self._shown > 0.25:
            self._draw()

    def _draw(self) -> None:
        self._shown = time.monotonic()
        self._bar.update(self._task, completed=self._done, figures=self._figures())

    def _figures(self) -> str:
        seconds = max(time.monotonic() - self._start, 1e-9)
        share = self._done / self._total if self._total else 0
        figures = (
            f"{self._rows / seconds:.1f} rows/s, {self._tokens / seconds:.0f} tokens/s, {self._ledger.tokens} tokens"
        )
        if self._is_priced and share:
            cost = self._ledger.cost_usd
            figures += f", {cost:.4g} USD of {cost / share:.4g} projected"
        return figures
