"""The rows that stages hand to each other: one schema for each file of the build.

Every file is Parquet, sorted by its key. `key` names the columns that are unique together.
"""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Record:
    """A kind of row: its name, its key and its columns."""

    name: str
    key: tuple[str, ...]
    schema: pa.Schema


def _record(name: str, key: str, **columns: pa.DataType) -> Record:
    return Record(name, tuple(key.split()), pa.schema([pa.field(column, kind) for column, kind in columns.items()]))


_TEXT, _COUNT = pa.string(), pa.int64()

# a question, perhaps with one ready-made response; other columns are null where there is no such thing. choices are
# the options of a multiple choice as the question shows them, a JSON list; answer is then a letter
SOURCE = _record(
    "source",
    "question teacher response",
    source=_TEXT,
    licence=_TEXT,
    split=_TEXT,
    question=_TEXT,
    answer=_TEXT,
    tests=_TEXT,
    choices=_TEXT,
    teacher=_TEXT,
    response=_TEXT,
    finish_reason=_TEXT,
)
# answer and tests are null where a prompt has none; meta is JSON
PROMPT = _record(
    "prompt",
    "prompt_id",
    prompt_id=_TEXT,
    domain=_TEXT,
    source=_TEXT,
    licence=_TEXT,
    question=_TEXT,
    answer=_TEXT,
    tests=_TEXT,
    meta=_TEXT,
)
# response is the whole answer; reasoning and answer are its parts, null where they are absent. finish_reason is stop
# or length, or why there is no answer: empty, refused, malformed, error (then error says what went wrong). made_with
# is what may show of the machine (engine, dtype, device, threads); null for ready-made answers
TRACE = _record(
    "trace",
    "trace_id",
    trace_id=_TEXT,
    prompt_id=_TEXT,
    sample_index=_COUNT,
    response=_TEXT,
    reasoning=_TEXT,
    answer=_TEXT,
    finish_reason=_TEXT,
    error=_TEXT,
    prompt_tokens=_COUNT,
    completion_tokens=_COUNT,
    teacher=_TEXT,
    made_with=_TEXT,
)
VERDICT = _record("verdict", "trace_id", trace_id=_TEXT, verdict=_TEXT, reason=_TEXT, grader=_TEXT)
COUNT = _record("count", "trace_id", trace_id=_TEXT, n_tokens=_COUNT)
SFT = _record(
    "sft",
    "trace_id",
    trace_id=_TEXT,
    domain=_TEXT,
    source=_TEXT,
    messages=pa.list_(pa.struct([("role", _TEXT), ("content", _TEXT)])),
    n_tokens=_COUNT,
)
REJECTED = _record("rejected", "trace_id reason", trace_id=_TEXT, reason=_TEXT)
# a prompt that shares words with a benchmark's question; overlap is the first text they share, as compared
HIT = _record(
    "hit",
    "prompt_id benchmark question_id",
    prompt_id=_TEXT,
    source=_TEXT,
    benchmark=_TEXT,
    question_id=_TEXT,
    overlap=_TEXT,
    question=_TEXT,
    benchmark_question=_TEXT,
)
# trace_id is the answer's name in the row store; is_correct is null where no grader could judge, and reason says
# why. completion_tokens are those generated, the stop token included; finish_reason is stop, length or empty, or
# skipped where the question did not fit the model: then there is no answer. faults are of branchmerge/chat/faults.py
SCORE = _record(
    "score",
    "benchmark question_id sample_index",
    model=_TEXT,
    model_hash=_TEXT,
    benchmark=_TEXT,
    question_id=_TEXT,
    sample_index=_COUNT,
    trace_id=_TEXT,
    response=_TEXT,
    answer=_TEXT,
    is_correct=pa.bool_(),
    reason=_TEXT,
    grader=_TEXT,
    prompt_tokens=_COUNT,
    completion_tokens=_COUNT,
    finish_reason=_TEXT,
    faults=pa.list_(_TEXT),
    made_with=_TEXT,
)
