"""Answers that sources carry: traces that no model has to be asked for."""

from collections.abc import Iterator
from pathlib import Path

from branchmerge.core.errors import StageError
from branchmerge.core.files import Row, content_id, iterate_rows
from branchmerge.core.records import SOURCE
from branchmerge.rowstore.traces import trace

SOURCES = Path("data/sources")


def ready_made(prompts: Iterator[Row], sources: list[str], domain: str) -> list[Row]:
    """Answers that a domain's sources carry, to the prompts it learns from."""
    prompt_ids = {prompt["question"]: prompt["prompt_id"] for prompt in prompts}
    answers: dict[str, dict[tuple[str, str], str]] = {}
    for source in sources:
        for row in iterate_rows(SOURCES / f"{source}.parquet", SOURCE):
            if row["question"] in prompt_ids and row["response"] is not None:
                answers.setdefault(row["question"], {})[row["teacher"], row["response"]] = row["finish_reason"]
    if not answers:
        raise StageError(
            where=f"domains.{domain}.traces",
            expected=f"at least one ready-made answer to {len(prompt_ids)} prompts",
            got=f"none in {', '.join(sources)}",
            do="give the sources columns for response and teacher, or name a model as traces.teacher",
        )
    return [
        trace(
            {
                "trace_id": content_id(question, teacher, "ready-made", text),
                "prompt_id": prompt_ids[question],
                "sample_index": index,
                "response": text,
                "finish_reason": finish_reason,
                "error": None,
                "prompt_tokens": None,
                "completion_tokens": None,
                "teacher": teacher,
                "made_with": None,
            }
        )
        for question, answered in answers.items()
        for index, ((teacher, text), finish_reason) in enumerate(sorted(answered.items()))
    ]
