"""Every wanted row of the row store answered once: with a budget that holds, and progress a person can read."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from branchmerge.core.errors import StageError
from branchmerge.core.params import Params
from branchmerge.engines.engine import FAILED, Completion, Engine, Request
from branchmerge.rowstore.store import Store, Tally

_POLL_S, _LONGEST_POLL_S = 0.2, 5.0
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


@dataclass(frozen=True)
class Allowance:
    """What one domain's rows may cost; the row store holds its processes to it.

    Args:
        max_tokens: Of one answer.
        overhead_bytes: Text that every prompt has besides its question.
        attempts: Calls that a row may cost; a failed one is paid for too.
    """

    limits: LimitsParams
    max_tokens: int
    overhead_bytes: int
    attempts: int = 1

    def worst(self, question: str) -> tuple[int, int]:
        """Most tokens that a row can cost: prompt, answer."""
        prompt_tokens = len(question.encode()) + self.overhead_bytes + _TEMPLATE_TOKENS  # a token is a byte or more
        return self.attempts * prompt_tokens, self.attempts * self.max_tokens

    def fits(self, prompt_tokens: int, completion_tokens: int) -> bool:
        """Whether so many tokens may be spent in all."""
        limits = self.limits
        return (limits.max_tokens_total is None or prompt_tokens + completion_tokens <= limits.max_tokens_total) and (
            limits.max_cost_usd is None or self.cost_usd(prompt_tokens, completion_tokens) <= limits.max_cost_usd
        )

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        """The price of so many tokens."""
        limits = self.limits
        usd = prompt_tokens * limits.prompt_usd_per_million + completion_tokens * limits.completion_usd_per_million
        return usd / 1e6


def answer_all(
    store: Store,
    make_engine: Callable[[], Engine],
    allowance: Allowance,
    label: str,
    *,
    remedy: str = "run it again",
    quiet: bool = False,
) -> int:
    """Ask until every wanted row has an answer in the store; returns how many were asked here.

    The engine is made only if something is missing. Rows that another process asks are waited for. Whatever ends
    the run early, rows under way are waited for and kept.

    Args:
        remedy: What a person does once the cause of too many failures is mended.
        quiet: Show neither the first prompt nor a bar; for many small sets of answers.

    Raises:
        StageError: The budget is spent, or more rows failed than may.
    """
    tally = store.tally()
    total = tally.rows + store.missing()
    engine: Engine | None = None
    asked, poll_s = 0, _POLL_S
    with _Progress(label, total, allowance, quiet) as progress:
        while missing := store.missing():
            _refuse_failures(store, total, allowance.limits, label, remedy)
            store.release()
            rows = _Rows(store.claims(allowance))
            first = next(rows, None)
            if first is None and store.is_refused and not store.rivals():
                raise _budget_spent(store.tally(), allowance, label, total)
            if first is None:
                progress.show(store.tally(), f"{missing} rows are asked by another process")
                time.sleep(poll_s)
                poll_s = min(2 * poll_s, _LONGEST_POLL_S)
                continue
            if engine is None:
                engine = make_engine()
                if not quiet:
                    print(
                        f"first prompt of {label}:\n{engine.prompt_text(first.question)}", file=sys.stderr, flush=True
                    )
            poll_s = _POLL_S
            with closing(engine.complete(chain([first], rows))) as completions:
                for completion in completions:
                    store.record(completion, engine.made_with)
                    asked += 1
                    progress.count(completion, store.tally)
                    if completion.finish_reason in FAILED and _failed_too_many(store, total, allowance.limits):
                        rows.stop()
        progress.show(store.tally())
    _refuse_failures(store, total, allowance.limits, label, remedy)
    return asked


class _Rows:
    """Claimed rows, until they end or are stopped."""

    def __init__(self, claims: Iterator[Request]) -> None:
        self._claims = claims
        self._is_stopped = False

    def stop(self) -> None:
        """Give out no more."""
        self._is_stopped = True

    def __iter__(self) -> Iterator[Request]:
        return self

    def __next__(self) -> Request:
        if self._is_stopped:
            raise StopIteration
        return next(self._claims)


def _failed_too_many(store: Store, total: int, limits: LimitsParams) -> bool:
    return store.tally().failed > limits.max_failed_ratio * total


def _refuse_failures(store: Store, total: int, limits: LimitsParams, label: str, remedy: str) -> None:
    if _failed_too_many(store, total, limits):
        raise StageError(
            where=label,
            expected=f"at most {limits.max_failed_ratio:.2%} of {total} rows to fail",
            got=f"{store.tally().failed}, such as {store.failure()}",
            do=f"mend the cause, then {remedy}",
        )


def _budget_spent(tally: Tally, allowance: Allowance, label: str, total: int) -> StageError:
    limits, tokens = allowance.limits, tally.prompt_tokens + tally.completion_tokens
    allowed = [
        f"{limits.max_tokens_total} tokens" if limits.max_tokens_total is not None else "",
        f"{limits.max_cost_usd:g} USD" if limits.max_cost_usd is not None else "",
    ]
    cost_usd = allowance.cost_usd(tally.prompt_tokens, tally.completion_tokens)
    return StageError(
        where=label,
        expected=f"all {total} rows within {' and '.join(filter(None, allowed))}",
        got=f"{tally.rows} rows for {tokens} tokens and {cost_usd:.4g} USD, and the next may not fit",
        do="raise max_tokens_total or max_cost_usd of traces to go on from there; the answers are kept",
    )


class _Progress:
    """A bar with rows and tokens a second, and tokens and money spent and projected."""

    def __init__(self, label: str, total: int, allowance: Allowance, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet,
        )
        self._task = self._bar.add_task(label, total=total, figures="")
        self._total, self._allowance = total, allowance
        self._start, self._shown = time.monotonic(), 0.0
        self._rows, self._tokens = 0, 0

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def count(self, completion: Completion, tally: Callable[[], Tally]) -> None:
        """Count one row answered here; the bar is redrawn a few times a second."""
        self._rows += 1
        self._tokens += completion.completion_tokens
        if time.monotonic() - self._shown > 0.25:
            self.show(tally())

    def show(self, tally: Tally, note: str = "") -> None:
        """Draw the bar as the wanted rows stand, whoever asked them."""
        self._shown = time.monotonic()
        self._bar.update(self._task, completed=tally.rows, figures=note or self._figures(tally))

    def _figures(self, tally: Tally) -> str:
        seconds = max(time.monotonic() - self._start, 1e-9)
        tokens = tally.prompt_tokens + tally.completion_tokens
        figures = f"{self._rows / seconds:.1f} rows/s, {self._tokens / seconds:.0f} tokens/s, {tokens} tokens"
        cost_usd = self._allowance.cost_usd(tally.prompt_tokens, tally.completion_tokens)
        if cost_usd:
            figures += f", {cost_usd:.4g} USD of {cost_usd * self._total / tally.rows:.4g} projected"
        return figures
