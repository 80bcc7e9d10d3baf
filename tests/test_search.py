"""The search: what it tries, who goes on, and that nothing is asked twice."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from branchmerge.cli.main import app
from branchmerge.core.errors import InputError
from branchmerge.core.params import PARAMS, read_value
from branchmerge.evaluation.params import EvaluateParams
from branchmerge.search.halving import halve
from branchmerge.search.proposals import Proposals
from branchmerge.search.run import RESULT, Searched, write_choice
from branchmerge.search.space import ProposalParams, SearchParams, candidates, read_search
from branchmerge.search.trial import Evaluator, Trial
from tests.nano import build
from tests.programs import verify_params

FILE = Path("search.yaml")
WEIGHTS = {"weights.math": [0.1, 0.2, 0.3, 0.4, 0.5]}


@pytest.fixture
def project_here(project_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project_copy)
    return project_copy


def searching(*grids: dict, questions: tuple[int, ...] = (10, 20, 40), keep_ratio: float = 0.4) -> SearchParams:
    return SearchParams(questions=questions, keep_ratio=keep_ratio, confidence=0.95, grids=grids)


def trials_of(search: SearchParams) -> list[Trial]:
    return [Trial(candidate) for candidate in candidates(search, FILE)]


def answer_by_weight(trial: Trial, n_questions: int) -> None:
    """The larger the weight of math, the more questions are right; an answer has ten tokens."""
    n_right = round(trial.candidate.params.weights["math"] * n_questions)
    trial.is_correct = {"math": {str(number): number < n_right for number in range(n_questions)}}
    trial.completion_tokens = 10 * n_questions


def test_the_projects_own_search_can_be_run(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project)
    found = candidates(read_search(FILE), FILE)

    assert found[0].changes == {}
    assert len(found) == len({candidate.name for candidate in found}) > 30


def test_a_point_that_params_yaml_already_is_counts_once(project_here: Path):
    standing = read_value("merge.weights")["math"]
    found = candidates(searching({"weights.math": [standing, 0.1]}, {"weights.math": [0.1]}), FILE)

    assert [candidate.changes for candidate in found] == [{}, {"weights.math": 0.1}]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"weigths.math": [0.5]}, "a path in the section merge.*got weigths.math"),
        ({"weights.history": [0.5]}, "a path in the section merge.*got weights.history"),
        ({"parameters.tiess.density": [0.5]}, "got parameters.tiess.density 0.5"),
        ({"parameters.ties": [0.5]}, "got parameters.ties 0.5"),
        ({"method": ["average"]}, "a method among.*got method average"),
        ({"method": ["ties"], "parameters.ties.density": [1.5]}, "got method ties, parameters.ties.density 1.5"),
    ],
)
def test_a_grid_that_cannot_be_is_refused_before_anything_is_merged(project_here: Path, grid: dict, message: str):
    with pytest.raises(InputError, match=rf"search.yaml: search.grids\[0\].*{message}"):
        candidates(searching(grid), FILE)


def test_rungs_that_do_not_rise_are_refused():
    with pytest.raises(ValueError, match="rise from rung to rung"):
        searching(WEIGHTS, questions=(4, 4))


def test_only_the_best_of_a_rung_go_on_and_params_yaml_stays_to_the_end(project_here: Path):
    write_choice({"weights.math": 0.0})
    outcome = halve(trials_of(searching(WEIGHTS)), searching(WEIGHTS), answer_by_weight)
    questions = {trial.candidate.name: trial.n_questions for trial in outcome.trials}

    assert outcome.best.candidate.changes == {"weights.math": 0.5}
    assert [questions[f"weights.math {weight}"] for weight in (0.5, 0.4, 0.3, 0.2, 0.1)] == [40, 20, 10, 10, 10]
    assert questions["params.yaml"] == 40
    assert outcome.naive_tokens == 6 * 40 * 10


def test_a_lead_within_chance_is_not_called_better(project_here: Path):
    write_choice({"weights.math": 0.45})
    few = halve(trials_of(searching(WEIGHTS)), searching(WEIGHTS), answer_by_weight)
    many = searching(WEIGHTS, questions=(20, 400))
    write_choice({"weights.math": 0.0})

    assert few.gain.mean > 0
    assert not few.is_better
    assert halve(trials_of(many), many, answer_by_weight).is_better


def proposing(**ranges: tuple[float, float]) -> ProposalParams:
    by_path = {f"weights.{domain}": ends for domain, ends in ranges.items()}
    return ProposalParams(count=20, changes={"method": "task_arithmetic"}, ranges=by_path)


def test_proposals_come_near_the_best_and_are_the_same_each_time(project_here: Path):
    def answer_best_at_a_half(trial: Trial) -> None:
        n_right = 1000 - round(1000 * abs(trial.candidate.params.weights["math"] - 0.5))
        trial.is_correct = {"math": {str(number): number < n_right for number in range(1000)}}

    first, second = (list(Proposals(proposing(math=(0, 2)), 0, "here").trials(answer_best_at_a_half)) for _ in range(2))
    last_half = [abs(trial.candidate.params.weights["math"] - 0.5) for trial in first[10:]]

    assert [trial.candidate for trial in first] == [trial.candidate for trial in second]
    assert len(first) == 20
    assert sum(last_half) / 10 < 0.3  # at random it would be .625


def test_proposals_that_cannot_be_are_refused_before_anything_is_merged(project_here: Path):
    with pytest.raises(InputError, match=r"here: expected a path in the section merge.*got weights.history"):
        Proposals(proposing(history=(0, 1)), 0, "here")
    with pytest.raises(ValueError, match=r"a lower and a higher number for weights\.math"):
        proposing(math=(1, 1))
    with pytest.raises(ValueError, match="a value or a range for method, not both"):
        ProposalParams(count=1, changes={"method": "ties"}, ranges={"method": (0, 1)})
    density = ProposalParams(count=1, changes={"method": "ties"}, ranges={"parameters.ties.density": (0.1, 1.5)})
    with pytest.raises(InputError, match=r"got method ties, parameters.ties.density 1.5"):
        Proposals(density, 0, "here")


def test_proposals_stay_in_their_range_and_none_comes_twice(project_here: Path):
    small = ProposalParams(count=20, changes={"method": "ram"}, ranges={"parameters.ram.epsilon": (1e-5, 1.04e-5)})
    examined: list[Trial] = []

    def answer(trial: Trial) -> None:
        examined.append(trial)
        trial.is_correct = {"math": {"0": True}}

    found = [trial.candidate.changes["parameters.ram.epsilon"] for trial in Proposals(small, 0, "here").trials(answer)]

    assert len(examined) == len(found) == len(set(found)) > 1
    assert all(1e-5 <= epsilon <= 1.04e-5 for epsilon in found)


def test_candidates_do_not_share_what_their_changes_hold(project_here: Path):
    grid = {"weights": [{"math": 1, "code": 1, "science": 1}], "weights.math": [0.1, 0.2]}
    _, first, second = candidates(searching(grid), FILE)

    assert (first.params.weights["math"], second.params.weights["math"]) == (0.1, 0.2)
    assert first.changes["weights"]["math"] == 1


def test_a_search_for_nothing_is_refused():
    with pytest.raises(ValueError, match="grids or proposals"):
        searching()


def test_a_choice_is_written_without_losing_a_comment(project_here: Path):
    before = PARAMS.read_text().splitlines()
    write_choice({"method": "ties", "weights.math": 0.9})
    after = PARAMS.read_text().splitlines()

    changed = [(old.strip(), new.strip()) for old, new in zip(before, after, strict=True) if old != new]
    assert [new for _, new in changed] == ["method: ties", "math: 0.9"]


def test_no_server_can_answer_for_candidates_that_are_merged_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("machine.yaml").write_text("evaluate: {engine: openai, openai: {url: 'http://localhost:1/v1'}}")
    params = EvaluateParams.model_validate(
        {
            "dtype": "auto",
            "benchmarks": {"math": {"samples_per_question": 1, "temperature": 0, "top_p": 1, "max_tokens": 9}},
        }
    )

    with pytest.raises(InputError, match="a candidate is merged here, and no server has it, got openai"):
        Evaluator(0, params, verify_params(), {})


@pytest.mark.parametrize("write", [True, False])
def test_the_command_writes_a_better_merge_only_when_asked_to(
    project_here: Path, monkeypatch: pytest.MonkeyPatch, write: bool
):
    write_choice({"weights.math": 0.0})
    params = searching(WEIGHTS, questions=(20, 400))
    searched = Searched(halve(trials_of(params), params, answer_by_weight), confidence=0.95, asked_tokens=0)
    monkeypatch.setattr("branchmerge.search.run.search", lambda file: searched)
    done = CliRunner().invoke(app, ["search", *(["--write"] if write else [])])

    assert done.exit_code == 0
    assert read_value("merge.weights")["math"] == (0.5 if write else 0.0)
    said = "params.yaml is now weights.math 0.5: dvc repro" if write else "better: weights.math 0.5; --write"
    assert said in done.output


@pytest.mark.slow
def test_a_search_asks_real_merges_and_a_second_one_asks_nothing(nano: Path):
    (nano / FILE).write_text(
        "search: {questions: [2, 4], keep_ratio: 0.5, confidence: 0.95, grids: ["
        "{method: [linear, ties]}, {method: [arcee_fusion], order: [[math, code, science], [math, code, science]]}], "
        "proposals: [{count: 2, changes: {method: task_arithmetic}, ranges: {weights.math: [0.9, 1.0]}}]}"
    )
    first = build.run(nano, "branchmerge", "search").stdout
    rows = json.loads((nano / RESULT).read_text())["candidates"]
    second = build.run(nano, "branchmerge", "search").stdout

    proposed = [row["candidate"] for row in rows if "task_arithmetic" in row["candidate"]]
    assert len(set(proposed)) == 2
    assert {row["candidate"] for row in rows} - set(proposed) == {
        "params.yaml",
        "method linear",
        "method ties",
        "method arcee_fusion, order math > code > science",
    }
    assert sorted(row["questions"] for row in rows)[-2:] == [12, 12]  # four of each domain
    assert not first.splitlines()[-2].startswith("0 tokens generated")
    assert "\n0 tokens generated" in second


@pytest.mark.slow
def test_a_domain_with_too_few_dev_questions_is_named(nano: Path):
    (nano / FILE).write_text(
        "search: {questions: [99], keep_ratio: 0.5, confidence: 0.95, grids: [{method: [linear]}]}"
    )
    done = build.run(nano, "branchmerge", "search", check=False)

    assert done.returncode == 2
    assert "data/dev/math.parquet: expected 99 dev questions, got 4" in done.stderr
