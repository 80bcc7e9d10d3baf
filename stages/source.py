"""One source of questions, as everything below wants it: from a generator, a file, a bucket or a data set of a hub.

A source may carry ready-made answers too, several a question. Its rows keep the split of their question,
which follows from a hash of its text: no question can be both learnt and held out, in whatever source. A source may
instead be all for learning or all a benchmark; a question in two such sources is found by curate.

Reads   source.<name>.path
Writes  data/sources/<name>.parquet
Params  run, source.<name>
Run     python -m stages.source --name openr1
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import NonNegativeInt, model_validator

from stages.shared.chat import whole_response
from stages.shared.command import Name, run
from stages.shared.errors import InputError, StageError
from stages.shared.files import Row, content_id, write_sorted_rows
from stages.shared.params import Params, RunParams, read_params
from stages.shared.problems import Split, problems, split_of
from stages.shared.records import SOURCE
from stages.shared.source_files import local_files
from stages.shared.sql import connect

_ROWS = 1000


class SourceColumns(Params):
    """SQL expressions (DuckDB) over a file's columns; unnest(...) makes a row of each item of a list.

    Texts stay as they stand. A CSV has texts only: cast what is compared as a number. JSON numbers have DuckDB's types.

    Args:
        answer, tests: What answers are graded against; null where there is no such thing.
        response: A ready-made answer, whole; or null, and reasoning and solution are its parts.
        teacher: Who gave it; a text in quotes where the file has no column for it.
        finish_reason: "stop" where the file has no column for it.
    """

    question: str
    answer: str | None = None
    tests: str | None = None
    response: str | None = None
    reasoning: str | None = None
    solution: str | None = None
    teacher: str | None = None
    finish_reason: str | None = None

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
        path: A generator (.py), a file or folder of Parquet, JSON Lines or CSV (.gz allowed), an s3:// address of such
            a file, or a .yaml that pins a hub data set: dataset, revision (a commit) and files (a pattern).
        licence: Of the questions and answers.
        columns: For files only.
        where: An SQL condition over the file's columns; null for all rows.
        max_train_rows, max_test_rows: Questions to learn from and to hold out; a file may have fewer. Where one of them
            is 0, all questions are for the other, whatever their hash: a training set, or a benchmark.
        max_dev_rows: Questions kept apart from both, on which `branchmerge search` chooses.
    """

    path: str
    licence: str
    columns: SourceColumns | None = None
    where: str | None = None
    max_train_rows: NonNegativeInt
    max_test_rows: NonNegativeInt
    max_dev_rows: NonNegativeInt = 0

    @model_validator(mode="after")
    def _columns_fit_path(self) -> Self:
        if self.path.endswith(".py") == (self.columns is not None):
            raise ValueError("columns for files, and none for a generator")
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


def main(name: Name) -> None:
    """Write the rows of one source."""
    run_params = read_params(RunParams, "run")
    params = read_params(SourceParams, f"source.{name}")
    counts: dict[Split, set[str]] = {split: set() for split in params.wanted}

    def counted(rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            counts[row["split"]].add(content_id(row["question"]))
            yield row | {"source": name, "licence": params.licence}
        if any(rows and not counts[split] for split, rows in params.wanted.items()):
            raise StageError(
                where=f"source.{name}",
                expected="questions in " + " and ".join(split for split, rows in params.wanted.items() if rows),
                got=", ".join(f"{len(found)} {split}" for split, found in counts.items())
                + f" questions from {params.path}",
                do="widen where, or name a larger source",
            )

    with tempfile.TemporaryDirectory() as folder:
        rows = _drawn(params, run_params.seed) if params.columns is None else _read(params, run_params, Path(folder))
        write_sorted_rows(Path(f"data/sources/{name}.parquet"), SOURCE, counted(rows))


def _drawn(params: SourceParams, seed: int) -> Iterator[Row]:
    """Problems of a generator."""
    blank = dict.fromkeys(SOURCE.schema.names)
    rows = [
        blank | {"split": split, "question": problem.question, "answer": problem.answer, "tests": problem.tests}
        for split, count in params.wanted.items()
        for problem in problems(Path(params.path), split, seed, count)
    ]
    yield from sorted(rows, key=lambda row: str(row["question"]))


def _read(params: SourceParams, run_params: RunParams, folder: Path) -> Iterator[Row]:
    """Rows of files, by question; DuckDB sorts and joins them, on disk where memory ends."""
    import duckdb
    import pyarrow as pa

    assert params.columns is not None
    reader, files = local_files(params.path, folder)
    columns = {name: expression or "null" for name, expression in params.columns.model_dump().items()}
    selected = ", ".join(f"cast({expression} as varchar) as {name}" for name, expression in columns.items())
    connection = connect(run_params.threads)
    try:
        connection.execute(f"set temp_directory = '{folder}'")
        connection.execute("set timezone = 'UTC'")
        files_sql = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
        connection.execute(
            f"create view rows as select {selected}"
            f" from (from {reader.format(f'[{files_sql}]')} where {params.where or 'true'})"
        )
        questions = connection.execute("select distinct question from rows where question <> ''")
        connection.register("picked", pa.Table.from_pylist(_picked(questions, params)))
        found = connection.execute(
            "select distinct picked.split, rows.* from rows join picked using (question)"
            " order by question, teacher, response, reasoning, solution, answer, tests, finish_reason"
        )
        names = [column[0] for column in found.description]
        while batch := found.fetchmany(_ROWS):
            for row in batch:
                yield _whole(dict(zip(names, row, strict=True)), params.path)
    except duckdb.Error as error:
        raise InputError(
            where=params.path,
            expected=f"columns for {', '.join(name for name, given in columns.items() if given != 'null')}"
            + (f", and rows where {params.where}" if params.where else ""),
            got=str(error).splitlines()[0],
            do="correct columns and where in params.yaml, or the file",
        ) from None


def _picked(questions: Any, params: SourceParams) -> list[Row]:
    """The questions to take, in the order of a hash of their text until there are enough."""
    by_split: dict[Split, list[str]] = {split: [] for split in params.wanted}
    while batch := questions.fetchmany(_ROWS):
        for (question,) in batch:
            by_split[_split(question, params.wanted)].append(question)
    return [
        {"question": question, "split": split}
        for split, count in params.wanted.items()
        for question in sorted(by_split[split], key=content_id)[:count]
    ] or [{"question": None, "split": None}]


def _split(question: str, wanted: dict[Split, int]) -> Split:
    """Where a question goes: by the hash of its text, but all to the one of train and test that is wanted alone."""
    by_hash = split_of(question)
    if (wanted["train"] and wanted["test"]) or (by_hash == "dev" and wanted["dev"]):
        return by_hash
    return "train" if wanted["train"] else "test"


def _whole(row: Row, path: str) -> Row:
    """A row with its ready-made answer in one text."""
    reasoning, solution = row.pop("reasoning"), row.pop("solution")
    if row["response"] is None and reasoning is not None and solution is not None:
        row["response"] = whole_response(reasoning, solution)
    if row["response"] is not None and row["finish_reason"] is None:
        row["finish_reason"] = "stop"
    if row["response"] is not None and row["teacher"] is None:
        raise InputError(
            where=f"{path}: {row['question'][:80]!r}",
            expected="a teacher for each answer",
            got="null",
            do="name it in columns.teacher, as coalesce(model, 'unknown'), or leave such rows out by where",
        )
    return row


if __name__ == "__main__":
    run(main)
