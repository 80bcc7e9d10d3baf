"""Every value reaches the prompt as it stands in its file, whatever stands beside it; what cannot is told."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, read_rows
from branchmerge.core.records import SOURCE
from stages.source import main

ASKED = {"question": "q", "answer": "a"}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(path: str, columns: dict[str, str] | None = None, **params: Any) -> list[Row]:
    """The rows of a source, by question."""
    section = {"path": path, "licence": "MIT", "columns": columns or ASKED, "max_train_rows": 99, "max_test_rows": 0}
    Path("params.yaml").write_text(json.dumps({"run": {"seed": 0}, "source": {"it": section | params}}))
    main("it")
    return read_rows(Path("data/sources/it.parquet"), SOURCE)


def golds(path: str, text: str | bytes, columns: dict[str, str] | None = None, **params: Any) -> list[str | None]:
    """Answers of a file with this text, by question."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    return [row["answer"] for row in read(path, columns, **params)]


def of_json(*values: str) -> str:
    """JSON Lines with values as they are written."""
    return "".join(f'{{"q": "Question {n}?", "a": {value}}}\n' for n, value in enumerate(values))


# a value as JSON writes it -> the text that it is
VALUES = {
    '"\\\\frac{1}{2}"': "\\frac{1}{2}",
    '"two\\nlines"': "two\nlines",
    '"9:30"': "9:30",
    '"2024-01-05T00:00:00Z"': "2024-01-05T00:00:00Z",
    '"007"': "007",
    '" x "': " x ",
    '"null"': "null",
    '"[1, 2]"': "[1, 2]",
    '"\\ud83d\\ude00"': "😀",
    '"a\\u2028b"': "a\u2028b",
    "5": "5",
    "1.10": "1.10",
    "1e5": "1e5",
    "-0": "-0",
    "1180591620717411303427": "1180591620717411303427",
    "9007199254740993": "9007199254740993",
    "0.1000000000000000055511151231257827": "0.1000000000000000055511151231257827",
    "true": "true",
    "Infinity": "Infinity",
    '{"inputs": [1.10, "x"],  "k": {"a": null}}': '{"inputs": [1.10, "x"],  "k": {"a": null}}',
    '[[1, 2], ["\\ud83d\\ude00"]]': '[[1, 2], ["\\ud83d\\ude00"]]',
    "null": None,
    "NaN": None,
}


@pytest.mark.parametrize("written", VALUES)
@pytest.mark.parametrize("beside", ['"\\\\frac12"', "5"])
def test_a_value_of_json_is_the_same_beside_a_text_and_a_number(written: str, beside: str):
    assert golds("q.jsonl", of_json(written, beside))[0] == VALUES[written]


@pytest.mark.parametrize("beside", ["2.5", "[1]", '{"b": 1}', "null", "true", "NaN"])
def test_many_values_of_json_are_the_same_whatever_stands_beside_them(beside: str):
    assert set(golds("q.jsonl", of_json(*VALUES, beside))) >= set(VALUES.values())


@pytest.mark.parametrize(
    "text",
    [
        '[{"q": "Question 0?", "a": 1.10},\n {"q": "Question 1?", "a": "x"}]',
        '{\n "q": "Question 0?",\n "a": 1.10\n}\n{"q": "Question 1?", "a": "x"}',
        '\ufeff{"q": "Question 0?", "a": 1.10}\r\n\n{"b": [], "q": "Question 1?", "a": "x"}',
    ],
    ids=["a list", "one behind the other", "lines, and a mark of their order of bytes"],
)
def test_a_json_file_holds_a_list_or_objects(text: str):
    assert golds("q.json", text) == ["1.10", "x"]


def test_lists_and_structs_can_be_taken_apart():
    text = '{"q": "x", "g": [{"t": "one", "ok": true}, {"t": "two", "ok": false}], "m": {"a": 1180591620717411303427}}'
    columns = {"question": "q || m.a", "response": "unnest([x.t for x in g if x.ok])", "teacher": "'t'"}
    Path("q.jsonl").write_text(text)
    (row,) = read("q.jsonl", columns)

    assert (row["question"], row["response"]) == ("x1180591620717411303427", "one")


FIELDS = ['"\\\\frac{1}{2}"', "1.10", "1e5", "-0", "1180591620717411303427", '"9:30"']


@pytest.mark.parametrize("answer", ["g.t", "g['t'] || ''", "[g][1].t", "file.g.t"])
@pytest.mark.parametrize("beside", ['"\\\\frac12"', "5", "[1.10]", '{"b": 1.10}'])
@pytest.mark.parametrize("written", FIELDS)
def test_a_field_of_an_object_is_the_same_whatever_stands_beside_it(written: str, beside: str, answer: str):
    text = f'{{"q": "x", "g": {{"t": {written}}}}}\n{{"q": "y", "g": {{"t": {beside}}}}}'

    assert golds("q.jsonl", text, ASKED | {"answer": answer})[0] == VALUES.get(written, written)


def test_a_field_named_alone_is_read_as_it_stands():
    text = '{"q": "x", "g": {"t": {"c": [1.10,  "y"]}}}\n{"q": "y", "g": null}'

    assert golds("q.jsonl", text, {"question": "q", "answer": "g.t"}) == ['{"c": [1.10,  "y"]}', None]


def test_a_list_made_of_texts_and_numbers_is_refused():
    text = '{"q": "x", "g": [{"t": "a"}, {"t": 5}]}'

    with pytest.raises(InputError, match=r"columns\.tests: expected a text, or a list of values of one kind"):
        golds("q.jsonl", text, {"question": "q", "tests": "[x.t for x in g]"})


def test_a_field_of_another_case_is_refused():
    with pytest.raises(InputError, match="expected the field t, got the field T"):
        golds("q.jsonl", '{"q": "x", "g": {"T": "1"}}', ASKED | {"answer": "g.t"})
    pq.write_table(pa.table({"q": ["x"], "g": [{"T": "1"}]}), "q.parquet")
    with pytest.raises(InputError, match="expected the field t, got the field T"):
        read("q.parquet", ASKED | {"answer": "g.t"})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"q": "x", "a": 1', "an object that does not end"),
        ('{"q": "x", "a": 1}}', "more behind the object"),
        ('{"q": "x", "a": 1, "a": 2}', "'a' twice"),
        ('["x", 1]', "something else"),
        ('{"q": "x", "a": }', "no value of 'a'"),
        ('{"q"', "no : behind 'q'"),
        ('{"q": "x', "Invalid control character"),
        ("version https://git-lfs.github.com/spec/v1", "something else"),
        ("[" * 100_000, "something else"),
        ('{"q": ' + "[" * 100_000, "recursion"),
    ],
)
def test_a_line_that_is_no_object_is_told_with_its_number(line: str, said: str):
    with pytest.raises(InputError, match=rf"q\.jsonl:2: expected a JSON object.*{said}"):
        golds("q.jsonl", of_json("1") + line + "\n")
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"q": "x", "a": 1}\n {"q": "y"}]', r"q\.json:2: .*neither , nor \]"),
        ('[{"q": "x", "a": 1},\n', r"q\.json:2: .*a list that does not end"),
        ('[{"q": "x"}] {}', r"q\.json:1: .*more behind it"),
        ("[]", "expected rows, got none"),
        ("", "expected rows, got none"),
    ],
)
def test_a_json_file_that_is_cut_or_empty_is_told(text: str, said: str):
    with pytest.raises(InputError, match=said):
        golds("q.json", text)


def test_what_is_no_utf_8_is_told_with_its_file():
    with pytest.raises(InputError, match=r"q\.jsonl: expected text in UTF-8"):
        golds("q.jsonl", '{"q": "Größe?"}'.encode("latin-1"))
    with pytest.raises(InputError, match=r"q\.csv: expected text in UTF-8"):
        golds("q.csv", "q,a\nGröße?,1\n".encode("latin-1"))


def test_a_packed_file_that_is_cut_is_told():
    with pytest.raises(InputError, match=r"q\.jsonl\.gz: expected text in UTF-8, packed whole"):
        golds("q.jsonl.gz", gzip.compress(of_json(*map(str, range(999))).encode())[:-20])


@pytest.mark.parametrize("kind", ["json", "parquet", "csv", "generator"])
def test_half_an_emoji_and_a_nul_are_cleaned_in_every_kind_of_row(kind: str):
    if kind == "json":
        found = golds("q.jsonl", of_json('"a\\ud83d\\u0000b"', '{"k": "\\ud83d \\ud83d\\ude00 \\\\ud83d"}'))
        assert found == ["a?b", '{"k": "? \\ud83d\\ude00 \\\\ud83d"}']
    elif kind == "csv":
        assert golds("q.csv", "q,a\nx,a\0b\n") == ["ab"]
    elif kind == "parquet":
        pq.write_table(pa.table({"q": ["x"], "a": ["a\0b"]}), "q.parquet")
        assert [row["answer"] for row in read("q.parquet")] == ["ab"]
    else:
        Path("g.py").write_text(
            "from branchmerge.sources.problems import Problem\n"
            "def problem(rng): return Problem(f'{rng.random()}', 'r', 'a\\ud83d\\0b')\n"
        )
        section = {"path": "g.py", "licence": "MIT", "max_train_rows": 3, "max_test_rows": 0}
        Path("params.yaml").write_text(json.dumps({"run": {"seed": 0}, "source": {"it": section}}))
        main("it")
        assert {row["answer"] for row in read_rows(Path("data/sources/it.parquet"), SOURCE)} == {"a?b"}


@pytest.mark.parametrize(
    "answer",
    [
        'He said "hi", ok',
        "'single, quoted'",
        "  lead",
        "#1",
        "two\r\nlines",
        "\\frac{1}{2}",
        "1;2",
        "a\\",
        "3 | 4",
        "NULL",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_field_of_csv_cannot_change_how_the_others_are_read(answer: str, delimiter: str):
    fields = [("q", "a"), ("Question 0?", answer), ("Question 1?", "'"), ("Question 2?", 'say "x"')]
    quoted = [['"' + field.replace('"', '""') + '"' for field in row] for row in fields]

    assert golds("q.csv", "\n".join(map(delimiter.join, quoted))) == [answer, "'", 'say "x"']


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("q,a\nx,1\ny,2,3\n", r"q\.csv:3: .*3 fields below 2 names"),
        ("q,a\nx\n", r"q\.csv:2: .*1 fields below 2 names"),
        ("q,a,q\nx,1,2\n", r"q\.csv:1: .*a name twice"),
        ('q,a\n"x" y,1\n', r"q\.csv:2: expected CSV"),
        ('q,a\n"x,1\n', r"q\.csv:2: expected CSV"),
    ],
)
def test_a_row_that_does_not_fit_its_names_is_told_with_its_line(text: str, said: str):
    with pytest.raises(InputError, match=said):
        golds("q.csv", text)


def test_bytes_of_parquet_are_text():
    texts = pa.array(["3 µm".encode(), "√2".encode()], pa.binary())
    pq.write_table(pa.table({"q": texts, "a": texts, "image": pa.array([b"\xff", b"\xfe"], pa.binary())}), "q.parquet")

    assert [row["answer"] for row in read("q.parquet")] == ["3 µm", "√2"]
    with pytest.raises(InputError, match="not valid UTF8"):
        read("q.parquet", ASKED | {"answer": "image"})


def test_nested_tests_of_parquet_are_json():
    tests = {"inputs": ["1\n"], "outputs": [["2"]]}
    pq.write_table(pa.table({"q": ["x"], "t": [tests]}), "q.parquet")
    (row,) = read("q.parquet", {"question": "q", "tests": "t"})

    assert json.loads(row["tests"]) == tests


def parts(*tables: dict[str, Any]) -> str:
    """A folder of Parquet files."""
    Path("parts").mkdir()
    for number, columns in enumerate(tables):
        pq.write_table(pa.table(columns), f"parts/{number}.parquet")
    return "parts"


def test_columns_of_parquet_are_matched_by_name_from_file_to_file():
    path = parts(
        {"q": ["v"], "a": ["1"], "b": [1]}, {"A": ["no"], "a": ["2"], "q": ["w"]}, {"q": ["x"], "a": pa.nulls(1)}
    )

    assert [row["answer"] for row in read(path)] == ["1", "2", None]


@pytest.mark.parametrize("other", [{"q": ["w"], "A": ["2"]}, {"q": ["w"]}])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_column_that_a_file_of_several_lacks_is_told(other: dict[str, Any], is_first: bool):
    whole = {"q": ["v"], "a": ["1"]}
    path = parts(*((other, whole) if is_first else (whole, other)))

    with pytest.raises(InputError, match=rf"{1 - is_first}\.parquet: expected the column a, which other files"):
        read(path)


def test_a_column_that_stands_twice_in_parquet_is_refused():
    table = pa.table([pa.array(["x"]), pa.array(["1"]), pa.array(["2"])], names=["q", "a", "a"])
    pq.write_table(table, "q.parquet")

    with pytest.raises(InputError, match=r"q\.parquet: expected columns of different names, got a twice"):
        read("q.parquet")


def test_a_pointer_of_git_lfs_is_told_as_one():
    Path("q.parquet").write_text("version https://git-lfs.github.com/spec/v1\n")

    with pytest.raises(InputError, match=r"q\.parquet: expected a Parquet file.*pointer of git LFS"):
        read("q.parquet")


def test_files_whose_types_would_round_each_other_are_refused():
    Path("parts").mkdir()
    pq.write_table(pa.table({"q": ["x"], "a": [9007199254740993]}), "parts/1.parquet")
    pq.write_table(pa.table({"q": ["y"], "a": [2.75]}), "parts/2.parquet")

    with pytest.raises(InputError, match=r"2\.parquet: expected a of the type int64.*got double"):
        read("parts")


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "csv"])
class TestNames:
    """Columns are matched by their exact names; DuckDB alone would take Answer for answer."""

    def write(self, suffix: str, **columns: str) -> str:
        if suffix == "parquet":
            pq.write_table(pa.table({name: [value] for name, value in columns.items()}), "q.parquet")
        elif suffix == "jsonl":
            Path("q.jsonl").write_text(json.dumps(columns))
        else:
            Path("q.csv").write_text(",".join(columns) + "\n" + ",".join(columns.values()) + "\n")
        return f"q.{suffix}"

    @pytest.mark.parametrize("expression", ["a", "trim(a)", "file.a"])
    def test_another_case_is_refused(self, suffix: str, expression: str):
        path = self.write(suffix, q="x", A="1")

        with pytest.raises(InputError, match="expected the column a, got the column A"):
            read(path, ASKED | {"answer": expression})

    @pytest.mark.parametrize("names", [("a", "A"), ("A", "a")])
    def test_of_two_names_the_exact_one_is_read(self, suffix: str, names: tuple[str, str]):
        path = self.write(suffix, q="x", **{name: name for name in names})

        assert [row["answer"] for row in read(path)] == ["a"]
        assert [row["answer"] for row in read(path, ASKED | {"answer": "A"})] == ["A"]

    def test_both_at_once_are_refused(self, suffix: str):
        path = self.write(suffix, q="x", A="1", a="2")

        with pytest.raises(InputError, match="got A and a"):
            read(path, ASKED | {"answer": "A || a"})

    def test_a_name_with_other_signs_is_quoted(self, suffix: str):
        path = self.write(suffix, **{"the q": "x", 'say "a"': "1"})

        assert [row["answer"] for row in read(path, {"question": '"the q"', "answer": '"say ""a"""'})] == ["1"]


@pytest.mark.parametrize("name", ["part[12]", "part*", "part?", "it's", "{a,b}", "100%", "~x", "a\\b", "é"])
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_a_path_is_a_path(name: str, suffix: str):
    for found in (name, "part1", "partx", "a"):
        pq.write_table(pa.table({"q": ["x"], "a": [found]}), f"{found}.parquet")
        Path(f"{found}.jsonl").write_text(json.dumps({"q": "x", "a": found}))

    assert [row["answer"] for row in read(f"{name}.{suffix}")] == [name]


def test_a_folder_is_no_column():
    Path("data/a=5").mkdir(parents=True)
    pq.write_table(pa.table({"q": ["x"], "b": ["1"]}), "data/a=5/p.parquet")

    with pytest.raises(InputError, match='"a" not found'):
        read("data")


def test_what_a_hub_has_beside_data_is_passed_over():
    beside = [
        ".gitattributes",
        "README.md",
        "LICENSE",
        "LICENSE.txt",
        "it.py",
        "dataset_infos.json",
        ".cache/x.metadata",
    ]
    beside += [
        ".cache/huggingface/download/data/t.jsonl.lock",
        ".git/config",
        "images/plot.png",
        "croissant.yaml",
        ".DS_Store",
    ]
    for file in beside:
        Path("set", file).parent.mkdir(parents=True, exist_ok=True)
        Path("set", file).write_text("{}")

    assert golds("set/data/t.jsonl", of_json("1")) == ["1"]
    assert [row["answer"] for row in read("set")] == ["1"]


@pytest.mark.parametrize("other", ["more.xls", "more.jsonl.part", "notes.txt"])
def test_what_may_be_data_is_not_passed_over(other: str):
    golds("set/t.jsonl", of_json("1"))
    Path("set", other).write_text("x")

    with pytest.raises(InputError, match="files that all end in one of"):
        read("set")


def test_a_link_to_nothing_is_told():
    golds("set/t.jsonl", of_json("1"))
    os.symlink("gone", "set/u.jsonl")

    with pytest.raises(InputError, match=r"set/u\.jsonl: expected a file, got a link to one that is gone"):
        read("set")


def test_duckdb_s_message_is_told_whole():
    with pytest.raises(InputError, match=r"Could not convert string 'x' to INT32 when casting from source column a"):
        golds("q.jsonl", of_json('"x"'), ASKED | {"answer": "cast(a as int)"})


def test_a_number_of_json_is_cast_before_it_is_compared():
    with pytest.raises(InputError, match=r"Cannot compare values of type VARCHAR.*cast what is compared as a number"):
        golds("q.jsonl", of_json("5", "10"), where="a > 9")
    assert golds("q.jsonl", of_json("5", "10"), where="a::int > 9") == ["10"]


def test_an_index_into_a_column_that_is_a_list_in_some_rows_only_is_refused():
    with pytest.raises(InputError, match=r"expected a to be a list or an object in all rows"):
        golds("x.jsonl", of_json('["5"]', '"56"'), {"question": "q", "answer": "a[1]"})
