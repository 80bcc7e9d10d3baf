"""The rows of a source: drawn from a generator, or read from its files by DuckDB."""

from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from branchmerge.chat.conversation import whole_response
from branchmerge.chat.finish_reasons import known_reason, reason_of_text
from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, content_id
from branchmerge.core.records import SOURCE
from branchmerge.core.sql import connect
from branchmerge.programs.exams import with_checker
from branchmerge.sources.choices import refuse_a_give_away, with_choices
from branchmerge.sources.expressions import FILE, Columns, columns_of
from branchmerge.sources.golds import settled
from branchmerge.sources.livecodebench import MACRO, unpacked
from branchmerge.sources.locate import files_of
from branchmerge.sources.params import SourceColumns, SourceParams
from branchmerge.sources.pins import read_pin
from branchmerge.sources.problems import Split, problems, split_of
from branchmerge.sources.tables import View, view_file

_LONGEST_LINE = 1000  # characters of a line of DuckDB's message, which may quote a row
_ROWS = 100  # of LiveCodeBench one has several MB


def draw(params: SourceParams, seed: int) -> Iterator[Row]:
    """Problems of a generator."""
    blank = dict.fromkeys(SOURCE.schema.names)
    rows = [
        blank | {"split": split, "question": problem.question, "answer": problem.answer, "tests": problem.tests}
        for split, count in params.wanted.items()
        for problem in problems(Path(params.path), split, seed, count)
    ]
    yield from sorted(rows, key=lambda row: str(row["question"]))


def read(params: SourceParams, threads: int, folder: Path) -> Iterator[Row]:
    """Rows of files, by question; DuckDB sorts and joins them, on disk where memory ends."""
    import duckdb
    import pyarrow as pa

    assert params.columns is not None
    given = {name: expression for name, expression in params.columns.model_dump().items() if expression is not None}
    connection = connect(threads)
    connection.execute(MACRO)
    try:
        connection.execute(f"set temp_directory = '{folder}'")
        connection.execute("set timezone = 'UTC'")
        read_by = {text: columns_of(connection, text) for text in [*given.values(), params.where or "true"]}
        view = view_file(connection, files_of(params.path, folder), read_by, folder, params.path)
        _refuse_part(connection, params)
        kinds = _kinds(connection, given)
        _refuse_mixed(params, kinds, read_by, view)
        values = ", ".join(
            f"{view.as_text.get(expression, expression)} as {name}" for name, expression in given.items()
        )
        texts = ", ".join(_texts(given, kinds, view))
        kept = f"(from {FILE} where {params.where or 'true'}) as {FILE}"
        connection.execute(f"create view rows as select {texts} from (select {values} from {kept})")
        questions = connection.execute("select distinct question from rows where question <> ''")
        connection.register("picked", pa.Table.from_pylist(_picked(questions, params)))
        found = connection.execute(
            "select picked.split, rows.*, count(*) as n_rows from rows join picked using (question) group by all"
            " order by question, teacher, response, reasoning, solution, answer, tests, choices, finish_reason, checker"
        )
        rows: Iterator[Row] = (_whole(row, params.path) for row in _fetched(found))
        if params.columns.choices is None:
            rows = settled(rows, params.path)
        else:  # shown under the question, options change its place
            shown = sorted(
                (with_choices(row, params.choices_seed, params.path) for row in rows), key=itemgetter("question")
            )
            refuse_a_give_away(shown, params.path)
            rows = iter(shown)
        yield from rows
    except (duckdb.Error, pa.ArrowInvalid) as error:
        raise InputError(
            where=params.path,
            expected=f"columns for {', '.join(given)}" + (f", and rows where {params.where}" if params.where else ""),
            got="; ".join(line[:_LONGEST_LINE] for line in str(error).splitlines() if line.strip(" ^")),
            do="correct columns and where in params.yaml (values of JSON and CSV are texts: cast what is compared as a"
            " number), or the file",
        ) from None


def _fetched(found: Any) -> Iterator[Row]:
    names = [column[0] for column in found.description]
    while batch := found.fetchmany(_ROWS):
        yield from (dict(zip(names, row, strict=True)) for row in batch)


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


def _kinds(connection: Any, given: dict[str, str]) -> dict[str, str]:
    """Types of DuckDB of the expressions for each column."""
    types = connection.execute(f"describe select {', '.join(given.values())} from {FILE}").fetchall()
    return dict(zip(given, (row[1] for row in types), strict=True))


def _texts(given: dict[str, str], kinds: dict[str, str], view: View) -> Iterator[str]:
    """SQL of every column as text, from their values.

    Args:
        given: Column -> expression of params.yaml.
        kinds: Column -> type of its value.
    """
    for name in SourceColumns.model_fields:
        if name not in given:
            yield f"null::varchar as {name}"
        else:
            text = name if given[name] in view.as_text else _as_text(name, kinds[name])
            yield f"replace(cast({text} as varchar), chr(0), '') as {name}"  # a NUL ends texts elsewhere


def _as_text(name: str, kind: str) -> str:
    """SQL of a value of DuckDB as text; lists and structs as JSON, and so the options of a multiple choice."""
    if kind == "JSON" and name != "choices":
        return f"case when json_type({name}) = 'VARCHAR' then {name}->>'$' else {name} end"
    return f"to_json({name})" if name == "choices" or _is_nested(kind) else name


def _is_nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))


def _refuse_mixed(params: SourceParams, kinds: dict[str, str], read_by: dict[str, Columns], view: View) -> None:
    """Refuse lists and structs made of values of several kinds, of which DuckDB would make texts throughout."""
    for column, expression in params.columns or ():
        if expression is None or expression in view.as_text or not _is_nested(kinds[column]):
            continue
        if mixed := sorted(read_by[expression].names & view.mixed):
            raise InputError(
                where=f"{params.path}: columns.{column}",
                expected="a text, or a list of values of one kind",
                got=f"{expression}, of {mixed[0]}, where texts, numbers or others stand in one place",
                do="name a column or a field of it alone, which is read as it stands, or take one value of it",
            )


def _refuse_part(connection: Any, params: SourceParams) -> None:
    """Refuse files that have not all rows of their pin: a part of a benchmark is another benchmark."""
    wanted = read_pin(Path(params.path)).n_rows if params.path.endswith(".yaml") else None
    if wanted is None:
        return
    ((found,),) = connection.execute("select count(*) from file").fetchall()
    if found != wanted:
        raise InputError(
            where=params.path,
            expected=f"files of {wanted} rows in all",
            got=str(found),
            do="fetch the data set again (a part of it is in the hub's cache), or correct files, revision or n_rows",
        )


def _whole(row: Row, path: str) -> Row:
    """A row with its tests unpacked, and its ready-made answer in one text."""
    checker = row.pop("checker")
    try:
        row["tests"] = with_checker(unpacked(row["tests"]), checker)
    except ValueError as error:
        raise InputError(
            where=f"{path}: {row['question'][:80]!r}",
            expected="tests of LiveCodeBench" if checker is None else "tests of what a program prints, for its checker",
            got=str(error),
            do="fetch the data set again, or leave such rows out by where",
        ) from None
    reasoning, solution = row.pop("reasoning"), row.pop("solution")
    if row["response"] is None and reasoning is not None and solution is not None:
        row["response"] = whole_response(reasoning, solution)
    if row["response"] is not None:
        said = (row["finish_reason"] or "").strip() or "stop"
        row["finish_reason"] = known_reason(said) or reason_of_text(said, row["response"])
    if row["response"] is not None and row["teacher"] is None:
        raise InputError(
            where=f"{path}: {row['question'][:80]!r}",
            expected="a teacher for each answer",
            got="null",
            do="name it in columns.teacher, as coalesce(model, 'unknown'), or leave such rows out by where",
        )
    return row
