"""The questions of a benchmark, refused before a token is generated where no score could come of them."""

from collections.abc import Sequence
from pathlib import Path

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, read_rows
from branchmerge.core.records import PROMPT
from branchmerge.engines.engine import Sampling, prompt_of
from branchmerge.engines.positions import positions_of_folder, too_long
from branchmerge.evaluation.benchmarks import file_of
from branchmerge.evaluation.params import BenchmarkParams


def questions_of(benchmark: str) -> list[Row]:
    """A benchmark's questions, by prompt_id.

    Raises:
        InputError: It has none, or one without anything to grade an answer by.
    """
    file = file_of(benchmark)
    rows = read_rows(file, PROMPT)
    if not rows:
        raise InputError(
            where=str(file),
            expected="a question or more",
            got="none",
            do=f"raise max_test_rows of the sources of domains.{benchmark}, or leave the benchmark out of evaluate",
        )
    bare = [row for row in rows if row["answer"] is None and row["tests"] is None]
    if bare:
        raise InputError(
            where=f"{file}, prompt_id {bare[0]['prompt_id']}",
            expected="a gold answer or tests, by which an answer is graded",
            got=f"neither, in {len(bare)} of {len(rows)} questions",
            do=f"name the column of the answers in the columns of source.{bare[0]['source']}, or take another source",
        )
    return rows


def fitting(
    questions: Sequence[Row], folder: Path, sampling: Sampling, benchmark: str, params: BenchmarkParams
) -> tuple[list[Row], list[tuple[Row, str]]]:
    """The questions whose longest answer fits the model in a folder, and the others, each with the reason.

    Raises:
        InputError: One does not fit, and params.yaml does not say to skip it.
    """
    import transformers

    tokenizer, positions = transformers.AutoTokenizer.from_pretrained(folder), positions_of_folder(folder)
    prompts = [prompt_of(tokenizer, question["question"], sampling).text for question in questions]
    fits, overlong = [], []
    for question, ids in zip(questions, tokenizer(prompts, add_special_tokens=False)["input_ids"], strict=True):
        if reason := too_long(len(ids), sampling.max_tokens, positions):
            overlong.append((question, reason))
        else:
            fits.append(question)
    if overlong and params.overlong == "fail":
        question, reason = overlong[0]
        raise InputError(
            where=f"{file_of(benchmark)}, prompt_id {question['prompt_id']}",
            expected=f"questions that {folder} can read and answer",
            got=f"{len(overlong)} of {len(questions)} that do not fit: {reason}",
            do=f"lower evaluate.benchmarks.{benchmark}.max_tokens, or set overlong: skip there, which is counted",
        )
    return fits, overlong
