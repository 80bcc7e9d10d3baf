"""What a plan says of costs: operations and steps by hand, answers that wait, and the paper's hours."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from branchmerge.engines.transformers import TransformersMachine
from branchmerge.plan import costs, lengths
from branchmerge.plan.build import Build
from tests.conftest import ROOT
from tests.plans import H100, TINY, training


def test_learning_takes_six_operations_a_weight_and_token_and_the_attention_before_each():
    weights = 2 * 144 + 10 * 4  # of two layers and the output layer

    assert costs.learning_flops(TINY, 30, 500, is_adapted=False) == 6 * weights * 30 + 6 * 2 * 4 * 500
    assert costs.learning_flops(TINY, 30, 0, is_adapted=True) == 4 * weights * 30
    assert costs.generating_flops(TINY, 30, 500) == 2 * weights * 30 + 2 * 2 * 4 * 500


@pytest.mark.parametrize(
    ("changed", "steps", "rows"),
    [
        ({"packing": False, "epochs": 2}, 2 * 11, 2000),  # 1,000 rows in batches of 96
        ({"packing": True, "epochs": 2}, 2 * 3, 2000),  # four rows fill a sequence
        ({"packing": False, "epochs": None, "max_steps": 7}, 7, 7 * 96),
        ({"packing": False, "held_out_rows": 100}, 10, 900),
    ],
)
def test_steps_follow_from_rows_batch_and_packing(changed: dict, steps: int, rows: int):
    known = lengths.Lengths(rows=1000, mean=4096, mean_square=4096**2, origin="")

    assert costs.optimiser_steps(training(**changed), known) == (steps, rows)


def test_an_unpacked_batch_computes_the_width_of_its_longest_row():
    known = lengths.Lengths(2, 20, 500, "", np.array([10, 30]))

    assert known.padding(1) == 1
    assert known.padding(64) == pytest.approx(1.5, rel=0.02)


def test_rows_on_disk_are_counted_and_others_assumed(use_profile: Callable[[str], Build]):
    build = use_profile("toy")
    Path("data/sft").mkdir(parents=True)
    pq.write_table(pa.table({"n_tokens": [50, 70]}), "data/sft/math.parquet")
    known = lengths.lengths_of(build, ("math",), set(), 320)
    curated = lengths.lengths_of(build, ("math",), {"curate@math"}, 320)
    assumed = lengths.lengths_of(build, ("math",), {"traces@math", "curate@math"}, 160)

    assert (known.rows, known.mean, known.origin) == (2, 60, "rows on disk")
    assert (curated.rows, "before this change" in curated.origin) == (2, True)
    assert (assumed.rows, "ASSUMED" in assumed.origin) == (
        3600,
        True,
    )  # 1,300 questions and 500 general ones, 2 traces each


def planned(build: Build, stage: str) -> costs.Cost:
    return next(cost for cost in costs.costs(build, H100, set()) if cost.stage == stage)


def write_traces(rows: list[tuple[int, int]]) -> None:
    names = ("prompt_tokens", "completion_tokens")
    Path("data/traces").mkdir(parents=True)
    pq.write_table(
        pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), "data/traces/math.parquet"
    )


def test_an_answer_that_has_ended_is_computed_no_more_whatever_the_others_of_its_batch_do(
    use_profile: Callable[[str], Build],
):
    build = use_profile("toy")
    write_traces([(5, 50)] + [(9, 10)] * 256)  # a batch is 256
    refilled = build.answering.model_copy(update={"engine": "vllm"})
    to_the_end, goes_on = (planned(made, "traces@math") for made in (build, replace(build, answering=refilled)))
    teacher = build.shape_at(Path("models/teacher"))
    assert teacher

    assert to_the_end.flops == to_the_end.computed_flops == goes_on.computed_flops
    assert goes_on.flops == costs.generating_flops(teacher, 50 + 256 * 10, 50**2 + 256 * 10**2)


def test_answers_wait_only_for_those_of_questions_about_as_long(use_profile: Callable[[str], Build]):
    build = use_profile("toy")
    write_traces([(5, 10), (9, 50)] * 256)
    cost = planned(build, "traces@math")

    assert cost.computed_flops == cost.flops


def test_of_answers_asked_one_by_one_each_token_reads_all_weights(use_profile: Callable[[str], Build]):
    build = use_profile("tinyr1-1.5b")
    plain = build.evaluation.model_copy(update={"engine": "transformers"})
    alone = plain.model_copy(update={"transformers": TransformersMachine(batch_size=1)})
    one, many = (planned(replace(build, evaluation=machine), "evaluate@merged") for machine in (alone, plain))

    assert one.computed_flops == many.computed_flops == many.flops
    assert one.seconds > 20 * many.seconds


def test_the_papers_branches_have_its_rows_and_take_about_the_hours_it_reports(use_profile: Callable[[str], Build]):
    build = use_profile("tinyr1-32b")
    branches = [cost for cost in costs.costs(build, H100, set(build.training)) if cost.stage.startswith("sft@")]
    (published,) = YAML(typ="safe").load(ROOT / "branchmerge/plan/published.yaml")

    assert [cost.rows for cost in branches] == [5 * 58_000, 15 * 20_000, 5 * 8_600]
    assert published["gpu_hours"] == 740
    assert sum(cost.device_hours for cost in branches) == pytest.approx(740, rel=0.25)


def test_recomputed_activations_take_a_third_more_time_and_no_more_model_flops(use_profile: Callable[[str], Build]):
    build = use_profile("tinyr1-32b")
    sft = build.setup.sft.model_copy(update={"gradient_checkpointing": False})
    plain = build.setup.model_copy(update={"sft": sft})
    with_it, without = (costs.costs(made, H100, set())[0] for made in (build, replace(build, setup=plain)))

    assert with_it.flops == without.flops
    assert with_it.computed_flops == pytest.approx(without.computed_flops * 4 / 3)


def test_the_numbers_of_a_plan_are_finite(use_profile: Callable[[str], Build]):
    build = use_profile("smol")

    assert all(math.isfinite(cost.seconds) and cost.seconds > 0 for cost in costs.costs(build, H100, set()))
