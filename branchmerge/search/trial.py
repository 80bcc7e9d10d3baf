"""One candidate on dev questions: merged, asked, graded. What it answered before is not asked again."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, folder_hash, read_rows
from branchmerge.core.machine import RunMachine, read_machine
from branchmerge.core.records import PROMPT
from branchmerge.evaluation.params import EvaluateMachine, EvaluateParams
from branchmerge.evaluation.respondent import Respondent
from branchmerge.evaluation.scores import graded, sampling_of
from branchmerge.evaluation.statistics import mean_of_domains
from branchmerge.grading.judge import VerifyParams
from branchmerge.merging.merge import merge
from branchmerge.search.space import Candidate
from branchmerge.sources.prompts import FOLDERS


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
        self._evaluate, self._verify, self._machine = evaluate, verify, read_machine(EvaluateMachine)
        if self._machine.engine == "openai":
            raise InputError(
                where="machine.yaml: evaluate.engine",
                expected="an engine that loads a model: a candidate is merged here, and no server has it",
                got="openai",
                do="set evaluate.engine to transformers or vllm",
            )
        self._questions = questions
        self._scratch = tempfile.TemporaryDirectory()
        self._known = Path(self._scratch.name)
        self.asked_tokens = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._scratch.cleanup()

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
        respondent = Respondent(folder, folder_hash(folder), "merged", self._machine, self._threads)
        for domain in self._questions:
            new = self._new(score, domain, n_questions)
            benchmark = self._evaluate.benchmarks[domain].model_copy(
                update={"samples_per_question": 1, "temperature": 0, "top_p": 1.0}
            )
            sampling = sampling_of(benchmark, self._evaluate.dtype)
            answers = respondent.answers(new, sampling, 1, self._seed, f"search {domain}", quiet=True)
            score.completion_tokens += sum(answer["completion_tokens"] for answer in answers)
            grades = graded(new, answers, 1, domain, self._verify, self._threads)
            score.is_correct.setdefault(domain, {}).update(
                (row["question_id"], row["is_correct"] is True) for row in grades
            )
        self.asked_tokens += respondent.asked_tokens

    def _new(self, score: Score, domain: str, n_questions: int) -> list[Row]:
        """Of the first questions of a domain those that are not in a score yet."""
        seen = score.is_correct.get(domain, {})
        return [question for question in self._questions[domain][:n_questions] if question["prompt_id"] not in seen]


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
