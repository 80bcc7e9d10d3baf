"""Where questions come from, as params.yaml says it."""

from typing import Self

from pydantic import NonNegativeInt, model_validator

from branchmerge.core.params import Params
from branchmerge.sources.problems import Split


class SourceColumns(Params):
    """SQL expressions (DuckDB) over a file's columns; unnest(...) makes a row of each item of a list.

    Values stay as they stand in the file. A list or object of JSON, or a field of it (meta.tests), is its JSON text
    where it is named alone; within a larger expression it is a list or struct of DuckDB.

    Args:
        question: The question.
        answer: What answers are compared with; null where there is no such thing.
        tests: What programs must pass; null where answers are no programs. They are Python (asserts, or a list of
            them), or {"inputs", "outputs"}, perhaps with "fn_name", or a list of cases, each with "input" and
            "output"; as JSON, or as the file's columns hold them.
        checker: A Python program that judges what a program printed, where several outputs are right; null, also in a
            row, where outputs are compared. As checker.py INPUT EXPECTED PRINTED, three paths, it prints 1 where the
            output is right, less where it is not.
        choices: The options of a multiple choice, a list of texts; then answer is the place of the right one, from 0.
        response: A ready-made answer, whole; or null, and reasoning and solution are its parts.
        reasoning: The thought of a ready-made answer.
        solution: What follows the thought.
        teacher: Who gave it; a text in quotes where the file has no column for it.
        finish_reason: Why it ended, in the words of any server; one not known counts as stop where the answer is whole.
            "stop" where the file has no column for it.
    """

    question: str
    answer: str | None = None
    tests: str | None = None
    checker: str | None = None
    choices: str | None = None
    response: str | None = None
    reasoning: str | None = None
    solution: str | None = None
    teacher: str | None = None
    finish_reason: str | None = None

    @model_validator(mode="after")
    def _a_checker_has_tests(self) -> Self:
        if self.checker is not None and self.tests is None:
            raise ValueError("tests beside a checker, which has the inputs and what is expected from them")
        return self

    @model_validator(mode="after")
    def _responses_are_whole(self) -> Self:
        parts = [self.reasoning, self.solution]
        if any(parts) and (None in parts or self.response is not None):
            raise ValueError("response, or both reasoning and solution, or none of them")
        if (self.response is not None or any(parts)) == (self.teacher is None):
            raise ValueError("a teacher where there are answers, and none where there are not")
        return self


class SourceParams(Params):
    """Where questions come from, and how many are taken.

    Args:
        path: A generator (.py), a file or folder of Parquet, JSON Lines, JSON or CSV (.gz allowed; of a folder, what a
            hub has beside data is passed over: names with a point first, read-me, licence, pictures, .py), an s3://
            address of such a file, or a .yaml that pins a hub data set: dataset, revision (a commit), files (a
            pattern), and perhaps licence, columns, choices_seed and where.
        licence: Of the questions and answers; null where the .yaml says it.
        columns: For files only; null where the .yaml has them. A name is matched with its case. CSV and JSON have texts
            only, so cast what is compared as a number; a list or object of JSON, or a field of it, named alone is its
            JSON text.
        where: An SQL condition over the file's columns, beside the one of the .yaml; null for all rows.
        choices_seed: Puts the options of each question in an order drawn by it; null as the .yaml says,
            or as they stand.
        max_train_rows, max_test_rows: Questions to learn from and to hold out; a file may have fewer. Where one of them
            is 0, all questions are for the other, whatever their hash: a training set, or a benchmark.
        max_dev_rows: Questions kept apart from both, on which `branchmerge search` chooses.
    """

    sections = ("source.{name}",)

    path: str
    licence: str | None = None
    columns: SourceColumns | None = None
    where: str | None = None
    choices_seed: NonNegativeInt | None = None
    max_train_rows: NonNegativeInt
    max_test_rows: NonNegativeInt
    max_dev_rows: NonNegativeInt = 0

    @model_validator(mode="after")
    def _is_described(self) -> Self:
        if self.path.endswith(".yaml"):  # where it may be described, too
            return self
        if self.path.endswith(".py") == (self.columns is not None):
            raise ValueError("columns for files, and none for a generator")
        if self.licence is None:
            raise ValueError("the licence of the questions and answers")
        return self

    @model_validator(mode="after")
    def _some_rows(self) -> Self:
        if not self.max_train_rows + self.max_test_rows:
            raise ValueError("max_train_rows or max_test_rows above 0")
        return self

    @property
    def wanted(self) -> dict[Split, int]:
        """Questions of each split."""
        return {"train": self.max_train_rows, "dev": self.max_dev_rows, "test": self.max_test_rows}
