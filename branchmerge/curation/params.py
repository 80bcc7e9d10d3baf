"""The thresholds of curation, as params.yaml says them."""

from typing import Literal

from pydantic import Field, PositiveInt

from branchmerge.core.params import Params


class CurateParams(Params):
    """Thresholds of the rules and choices; null switches one off.

    Args:
        min_tokens, max_tokens: Prompt and answer together, by the student's tokenizer.
        require_thought: Whether there must be think tags; false allows none, but refuses malformed ones.
        max_foreign_ratio: Characters of scripts other than Latin and Greek.
        max_repeated_ratio: Sentences and lines that were said before.
        min_distinct_ratio: Distinct words among the last 100.
        min_pass_rate, max_pass_rate: Share of a prompt's traces that are correct.
        contamination_words: Length of the runs of words in which prompts are compared with benchmarks.
        min_contamination_ratio: Share of a benchmark question's runs that a prompt holds to be rejected.
        near_duplicate_similarity: Jaccard similarity from which one of two prompts is rejected.
        max_traces_per_prompt: Taken in trace_order.
        trace_order: Which of a prompt's traces are taken first.
        max_traces_by_source: Most traces of the sources named.
    """

    sections = ("curate", "domains.{domain}.curate")

    max_tokens: PositiveInt | None
    min_tokens: PositiveInt | None = None
    require_thought: bool | None = None
    max_foreign_ratio: float | None = Field(default=None, ge=0, le=1)
    max_repeated_ratio: float | None = Field(default=None, ge=0, le=1)
    min_distinct_ratio: float | None = Field(default=None, ge=0, le=1)
    min_pass_rate: float | None = Field(default=None, ge=0, le=1)
    max_pass_rate: float | None = Field(default=None, ge=0, le=1)
    contamination_words: PositiveInt | None = None
    min_contamination_ratio: float = Field(default=0.8, gt=0, le=1)
    near_duplicate_similarity: float | None = Field(default=None, gt=0, le=1)
    max_traces_per_prompt: PositiveInt | None
    trace_order: Literal["shortest", "longest", "first"] = "shortest"
    max_traces_by_source: dict[str, PositiveInt] = Field(default_factory=dict)
