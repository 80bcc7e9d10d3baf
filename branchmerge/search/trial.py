"""One candidate on dev questions: merged, asked, graded. What it answered before is not asked again."""

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Self

from branchmerge.chat.conversation import response
from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, content_id, folder_hash, read_rows
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.records import PROMPT
from branchmerge.engines.engine import Engine, Sampling
from branchmerge.engines.transformers import TransformersEngine, TransformersMachine
from branchmerge.evaluation.params import EvaluateMachine, EvaluateParams
from branchmerge.evaluation.statistics import mean_of_domains
from branchmerge.grading.judge import Judge, Question, VerifyParams
from branchmerge.merging.merge import merge
from branchmerge.rowstore.asking import Allowance, LimitsParams, answer_all
from branchmerge.rowstore.store import Store, Wanted
from branchmerge.search.space import Candidate
from branchmerge.sources.prompts import FOLDERS

_REMEDY = "forget the failed answers (branchmerge store prune --failed) and search again"


@dataclass(kw_only=True)
class Score:
    """What a model was asked so far, and what it got right.

    Args:
        is_correct: By domain and question.
        completion_tokens: Of all its answers, also of those another search paid for.
    """

    is_correct: dict[str, dict[str, bool]] = field(default_factory=dict)
    completion_tokens: int = 0

    @property
    def n_questions(self) -> int:
        """Answered so far."""
        return sum(map(len, self.is_correct.values()))

    @property
    def accuracy(self) -> dict[str, float]:
        """By domain, on the questions so far."""
        return {domain: sum(seen.values()) / len(seen) for domain, seen in self.is_correct.items()}

    @property
    def mean_accuracy(self) -> float:
        """Over the domains, each of the same weight."""
        return mean_of_domains(self.accuracy)


@dataclass
class Trial(Score):
    """The score of a candidate."""

    candidate: Candidate


class Evaluator:
    """Asks models questions and grades them; merges candidates for it. Use as a context manager.

    Args:
        questions: Of each benchmark, in the order in which a candidate is asked them.
    """

    def __init__(
        self, seed: int, evaluate: EvaluateParams, verify: VerifyParams, questions: dict[str, list[Row]]
    ) -> None:
        import transformers

        transformers.utils.logging.disable_progress_bar()  # one for each load; the search has its own
        self._seed, self._threads = seed, read_machine(RunMachine).threads
        self._evaluate, self._batch_size = evaluate, read_machine(EvaluateMachine).batch_size
        self._questions = questions
        self._opened = ExitStack()
        self._judges = {
            domain: self._opened.enter_context(Judge(verify, domain, self._threads)) for domain in questions
        }
        self._known = Path(self._opened.enter_context(tempfile.TemporaryDirectory()))
        self.asked_tokens = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def examine(self, trial: Trial, n_questions: int) -> None:
        """Bring a trial to so many questions of each domain; its candidate is merged if there are new ones."""
        if not any(self._new(trial, domain, n_questions) for domain in self._questions):
            return
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "merged"
            folder.mkdir()
            merge(trial.candidate.params, self._seed, self._threads, folder, self._known)
            self.ask(folder, trial, n_questions)

    def ask(self, folder: Path, score: Score, n_questions: int) -> None:
        """Bring the score of the model in a folder to so many questions of each domain."""
        engine = cache(partial(self._engine, folder))
        for domain in self._questions:
            new = self._new(score, domain, n_questions)
            answers = self._answers(folder, domain, new, engine)
            score.completion_tokens += sum(row["completion_tokens"] for row in answers.values())
            score.is_correct.setdefault(domain, {}).update(self._graded(domain, new, answers))

    def _new(self, score: Score, domain: str, n_questions: int) -> list[Row]:
        """Of the first questions of a domain those that are not in a score yet."""
        seen = score.is_correct.get(domain, {})
        return [question for question in self._questions[domain][:n_questions] if question["prompt_id"] not in seen]

    def _answers(
        self, folder: Path, domain: str, questions: list[Row], engine: Callable[[Sampling], Engine]
    ) -> dict[str, Row]:
        """By prompt_id; what the row store does not have is asked."""
        model = f"merged@{folder_hash(folder)}"
        benchmark = self._evaluate.benchmarks[domain]
        sampling = Sampling(temperature=0, top_p=1, max_tokens=benchmark.max_tokens, dtype=self._evaluate.dtype)
        with Store(model) as store:
            store.want(_wanted(question, model, sampling) for question in questions)
            known_tokens = store.tally().completion_tokens
            allowance = Allowance(LimitsParams(max_failed_ratio=0), sampling.max_tokens, overhead_bytes=0)
            answer_all(store, lambda: engine(sampling), allowance, f"search {domain}", remedy=_REMEDY, quiet=True)
            self.asked_tokens += store.tally().completion_tokens - known_tokens
            return {row["prompt_id"]: row for row in store.answered()}

    def _graded(self, domain: str, questions: list[Row], answers: dict[str, Row]) -> dict[str, bool]:
        grades = self._judges[domain].grade_all(
            Question(response(answers[q["prompt_id"]]["response"] or "").answer, q["answer"], q["tests"], q["meta"])
            for q in questions
        )
        return {
            question["prompt_id"]: grade.verdict == "correct" for question, grade in zip(questions, grades, strict=True)
        }

    def _engine(self, folder: Path, sampling: Sampling) -> Engine:
        machine = TransformersMachine(batch_size=self._batch_size)
        return TransformersEngine(folder, sampling, machine, self._threads)


def _wanted(question: Row, model: str, sampling: Sampling) -> Wanted:
    trace_id = content_id("search", question["question"], model, sampling.model_dump(exclude={"dtype", "quantization"}))
    return Wanted(trace_id, question["prompt_id"], 0, question["question"])


def dev_questions(domain: str, n_questions: int) -> list[Row]:
    """The first dev questions of a domain.

    Raises:
        InputError: It has fewer.
    """
    file = FOLDERS["dev"] / f"{domain}.parquet"
    rows = read_rows(file, PROMPT)[:n_questions]
    if len(rows) < n_questions:
        raise InputError(
            where=str(file),
            expected=f"{n_questions} dev questions",
            got=str(len(rows)),
            do="raise max_dev_rows of the domain's sources, or ask fewer questions",
        )
    return rows
