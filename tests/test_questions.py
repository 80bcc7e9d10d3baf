"""A benchmark that could give no score, or not the one that was asked for, is refused before a token is generated."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import Row, write_rows
from branchmerge.core.records import PROMPT
from branchmerge.engines.engine import Sampling
from branchmerge.engines.positions import positions_of, too_long
from branchmerge.evaluation.benchmarks import file_of
from branchmerge.evaluation.params import BenchmarkParams
from branchmerge.evaluation.questions import fitting, questions_of
from tests.engines import tiny_model

ASKED = {"samples_per_question": 1, "temperature": 0, "top_p": 1.0}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(*questions: Row) -> None:
    blank = dict.fromkeys(PROMPT.schema.names) | {"domain": "math", "source": "sums", "meta": "{}"}
    rows = [blank | {"prompt_id": f"p{number}"} | question for number, question in enumerate(questions)]
    write_rows(file_of("math"), PROMPT, rows)


def test_a_benchmark_without_a_question_is_refused():
    write()

    with pytest.raises(InputError, match=r"data/benchmarks/math.parquet: expected a question or more, got none"):
        questions_of("math")


def test_a_question_with_neither_gold_answer_nor_tests_is_refused_by_name():
    write({"question": "1+1?", "answer": "2"}, {"question": "Why?"}, {"question": "f?", "tests": "assert f() == 1"})

    with pytest.raises(InputError, match=r"prompt_id p1: .* got neither, in 1 of 3 questions.*source\.sums"):
        questions_of("math")


def test_greedy_answers_are_all_alike_so_more_than_one_is_refused():
    with pytest.raises(ValueError, match="a temperature above 0 for samples_per_question above 1"):
        BenchmarkParams.model_validate(ASKED | {"max_tokens": 8, "samples_per_question": 4})


@pytest.mark.slow
@pytest.mark.parametrize(("max_tokens", "fits"), [(480, 1), (512, 0)])
def test_a_question_whose_longest_answer_does_not_fit_the_model_is_refused_or_skipped(max_tokens: int, fits: int):
    """The model has 512 positions."""
    model = tiny_model(Path("model"))
    questions = [{"prompt_id": "short", "question": "1?"}, {"prompt_id": "long", "question": "1+" * 100 + "1?"}]
    sampling = Sampling(temperature=0, top_p=1, max_tokens=max_tokens)
    skipping = BenchmarkParams.model_validate(ASKED | {"max_tokens": max_tokens, "overlong": "skip"})
    kept, skipped = fitting(questions, model, sampling, "math", skipping)

    assert (len(kept), len(skipped)) == (fits, 2 - fits)
    with pytest.raises(InputError, match=rf"got {2 - fits} of 2 that do not fit: .* the model's 512 positions"):
        fitting(questions, model, sampling, "math", skipping.model_copy(update={"overlong": "fail"}))


@pytest.mark.parametrize(
    ("config", "positions"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"n_positions": 1024}, 1024),
        ({"max_position_embeddings": 4096, "sliding_window": 512}, 4096),
        (
            {
                "max_position_embeddings": 32768,
                "rope_parameters": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}}, 8192),
        (
            {
                "max_position_embeddings": 131072,
                "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
            },
            131072,
        ),
        ({}, None),
    ],
)
def test_the_models_config_says_how_long_a_row_may_be(config: dict[str, Any], positions: int | None):
    assert positions_of(SimpleNamespace(**config)) == positions


def test_a_row_may_fill_the_positions_to_the_last():
    assert too_long(12, 500, 512) is None
    assert too_long(13, 500, 512)
    assert too_long(13, 500, None) is None
