"""The command line: profiles are checked before they are used, and the result is printed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from branchmerge.cli.main import app
from branchmerge.core.errors import InputError
from branchmerge.core.files import write_rows
from branchmerge.core.records import COUNT
from branchmerge.settings.check import check
from tests.test_build_graph import replace

PROFILES = ["smol", "tinyr1-1.5b", "tinyr1-32b", "toy"]


def branchmerge(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "branchmerge.cli.main", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def repository(project_copy: Path) -> Path:
    """The build in a git and DVC repository, with the command beside it."""
    (project_copy / ".dvc/config").write_text("[core]\n    analytics = false\n")
    for command in ("git init -q", "git add .", "git -c user.name=t -c user.email=t@t commit -qm build"):
        subprocess.run(command.split(), cwd=project_copy, check=True, capture_output=True)
    return project_copy


def test_the_profiles_are_listed_with_the_one_in_use(project: Path, repository: Path):
    assert sorted(path.stem for path in (project / "profiles").glob("*.yaml")) == PROFILES
    assert branchmerge(repository, "profile", "list").stdout.splitlines() == [
        *(f"  {name}" for name in PROFILES[:-1]),
        "* toy",
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_valid(project: Path, profile: str):
    check(project / f"profiles/{profile}.yaml")


def test_the_default_is_the_toy(project: Path):
    assert (project / "params.yaml").read_bytes() == (project / "profiles/toy.yaml").read_bytes()


def test_a_profile_is_shown_and_used(repository: Path):
    shown = branchmerge(repository, "profile", "show", "smol").stdout
    used = branchmerge(repository, "profile", "use", "smol")

    assert used.stdout.endswith("params.yaml is now profile smol\n"), used.stderr
    assert (repository / "params.yaml").read_text() == shown


def test_edits_that_stand_nowhere_else_are_not_lost(repository: Path):
    replace(repository, "params.yaml", "seed: 0", "seed: 1")
    refused = branchmerge(repository, "profile", "use", "smol")

    assert refused.returncode == 2
    assert "profiles/<name>.yaml" in refused.stderr
    assert "seed: 1" in (repository / "params.yaml").read_text()
    assert branchmerge(repository, "profile", "use", "smol", "--force").returncode == 0


def test_an_unknown_profile_is_one_line(repository: Path):
    refused = branchmerge(repository, "profile", "use", "huge")

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "one of smol, tinyr1-1.5b, tinyr1-32b, toy, got huge" in refused.stderr


def test_an_invalid_profile_is_not_used(repository: Path):
    replace(repository, "profiles/smol.yaml", "temperature: 0.6", "temperature: hot")

    assert branchmerge(repository, "profile", "use", "smol").returncode == 2
    assert "sources" in (repository / "params.yaml").read_text()


# what is planted in params.yaml, and what the check names
PLANTED = [
    ("merge:\n", "mrege:\n", "merge"),
    ("report:\n", "extra: {}\nreport:\n", "names among run, base, source, domains"),
    ("    sft:\n      learning_rate: 2e-4\n", "    stf:\n      learning_rate: 2e-4\n", "domains.math"),
    ("  order:\n    - math\n", "  order:\n    - maths\n", "maths"),
    ("    domains:\n      - math\n", "    domains:\n      - mat\n", "mixture.mixture.domains"),
    ("merged: models/merged", "merged: models/merge", "models/merge"),
    ("  grader: auto\n", "  grader: auto\n  graders:\n    maths: text\n", "verify.graders"),
    ("  benchmarks:\n    math:\n", "  benchmarks:\n    maths:\n", "evaluate.benchmarks"),
    ("max_position_embeddings", "max_positions", "base.teacher.scratch.architecture.max_positions"),
    ("stages/generators/arithmetic.py: 3500", "mine/arithmetic.py: 3500", "generators below stages/"),
    (
        "  max_traces_per_prompt: 2\n",
        "  max_traces_by_source: {arithmetics: 5}\n  max_traces_per_prompt: 2\n",
        "got arithmetics",
    ),
    (
        "    curate:\n      max_tokens: 320\n",
        "    curate:\n      max_tokens: 320\n      max_traces_by_source: {functions: 5}\n",
        "domains.math.curate.max_traces_by_source: expected names among arithmetic, general, got functions",
    ),
    ("tokenizer: models/student", "tokenizer: models/studnt", "count.tokenizer: expected names among models/merged"),
    (
        "      teacher: models/teacher\n    curate:\n      max_tokens: 320",
        "      teacher: models/techer\n    curate:\n      max_tokens: 320",
        "domains.math.traces.teacher",
    ),
    ("baseline: student", "baseline: studnt", "report.baseline: expected names among teacher, student"),
    ("path: stages/generators/arithmetic.py", "path: stages/generators/arithmetics.py", "source.arithmetic.path"),
    ("stages/generators/arithmetic.py: 3500", "stages/generators/arithmetics.py: 3500", "no such file"),
    ("report:\n", "launch: {}\nreport:\n", "how, stands in machine.yaml"),
    ("  seed: 0\n", "  seed: 0\n  threads: 2\n", "run.threads: expected what is made; how, stands in machine.yaml"),
]


@pytest.mark.parametrize(("old", "new", "named"), PLANTED, ids=[new.strip().split("\n")[-1] for _, new, _ in PLANTED])
def test_the_check_finds_a_planted_mistake_anywhere(project_copy: Path, old: str, new: str, named: str):
    replace(project_copy, "params.yaml", old, new)

    with pytest.raises(InputError) as caught:
        check(project_copy / "params.yaml")
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "v1.1",
        "2024",
        "my source",
        "a/b",
        "..",
        "-x",
        "a;b",
        "$HOME",
        "a@b",
        "é\u0301",
        "true",
        "null",
        "''",
        "x" * 101,
        "~",
    ],
)
@pytest.mark.parametrize("section", ["source", "domains", "base", "mixture", "models"])
def test_a_name_that_dvc_a_shell_or_a_path_cannot_carry_is_refused(project_copy: Path, section: str, name: str):
    lines = (project_copy / "params.yaml").read_text().splitlines()
    below = lines.index(f"{section}:") + 1
    lines[below] = f"  {name}:{lines[below].split(':', 1)[1]}"
    (project_copy / "params.yaml").write_text("\n".join(lines))

    with pytest.raises(InputError, match=rf"{section}: expected names of at most 100 letters"):
        check(project_copy / "params.yaml")


@pytest.mark.parametrize("name", ["'2024'", "größe", "a-b_1", "x" * 100])
def test_other_names_are_carried(project_copy: Path, name: str):
    text = (project_copy / "params.yaml").read_text()
    (project_copy / "params.yaml").write_text(
        text.replace("  general:", f"  {name}:").replace("- general", f"- {name}")
    )

    check(project_copy / "params.yaml")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("  mixture_small:\n    domains", "  math:\n    domains", "names that no domain has"),
        ("  teacher:\n    scratch", "  merged:\n    scratch", "folders of models/"),
    ],
)
def test_two_things_of_one_folder_need_two_names(project_copy: Path, old: str, new: str, named: str):
    replace(project_copy, "params.yaml", old, new)

    with pytest.raises(InputError, match=named):
        check(project_copy / "params.yaml")


def test_a_teacher_may_lie_outside_of_the_build(project_copy: Path, tmp_path: Path):
    text = (project_copy / "params.yaml").read_text()
    (tmp_path / "elsewhere").mkdir()
    (project_copy / "params.yaml").write_text(
        text.replace("      teacher: models/teacher", f"      teacher: {tmp_path / 'elsewhere'}")
    )

    check(project_copy / "params.yaml")


def test_a_profile_is_checked_outside_of_the_project_too(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)

    check(project / "profiles/toy.yaml")


@pytest.mark.slow
def test_a_task_that_lm_eval_does_not_know_is_refused(project_copy: Path):
    replace(project_copy, "params.yaml", "report:\n", "  tasks: {gsm8kk: {}, gsm8k: {}}\nreport:\n")

    with pytest.raises(InputError, match=r"evaluate\.tasks: expected tasks of lm-eval.*got gsm8kk\."):
        check(project_copy / "params.yaml")


def test_the_table_has_a_row_for_each_model(tmp_path: Path, project: Path):
    shutil.copytree(project / "stages", tmp_path / "stages")
    shutil.copytree(project / "branchmerge", tmp_path / "branchmerge")
    estimate = {"mean": 0.5, "low": 0.25, "high": 0.75}
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/metrics.json").write_text(
        json.dumps({"accuracy": {"merged": {"math": estimate, "code": estimate}}})
    )

    printed = branchmerge(tmp_path, "table").stdout

    assert "merged" in printed
    assert printed.count("50.0 [25.0, 75.0]") == 2


def test_a_table_without_a_build_is_one_line(repository: Path):
    refused = branchmerge(repository, "table")

    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "dvc repro" in refused.stderr


def test_the_doctor_tells_what_is_missing_and_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    from branchmerge.cli import doctor

    monkeypatch.setattr(doctor, "EXTRAS", {"no_such_package": "pip install it"})
    monkeypatch.setattr(doctor, "MIN_DISK_GIB", 10**9)
    found = {finding.name: finding for finding in doctor.findings()}

    assert {"python", "cores", "memory", "free disk", "gpu", "cache links", "isolation"} <= found.keys()
    assert found["python"].is_fine
    assert found["free disk"].is_fine is False
    assert found["extra no_such_package"].value == "missing: pip install it"


def test_a_query_reads_the_rows_of_all_domains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
):
    monkeypatch.chdir(tmp_path)
    for domain in ("math", "code"):
        write_rows(Path(f"data/counts/{domain}.parquet"), COUNT, [{"trace_id": f"t-{domain}", "n_tokens": 3}])
    app(["query", "select domain, trace_id from counts order by all", "--csv"], standalone_mode=False)

    assert capfd.readouterr().out.split() == ['"domain","trace_id"', '"code","t-code"', '"math","t-math"']
    with pytest.raises(InputError, match="SQL over counts"):
        app(["query", "select * from traces"], standalone_mode=False)


def test_the_doctor_says_which_isolation_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from branchmerge.cli import doctor

    bwrap = tmp_path / "bwrap"
    bwrap.write_text("#!/bin/sh\nexit 0\n")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    allowed = {finding.name: finding.value for finding in doctor.findings()}
    bwrap.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = {finding.name: finding.value for finding in doctor.findings()}

    assert allowed["isolation"] == "bubblewrap, process"
    assert missing["isolation"] == "process only, since bubblewrap (apt-get install bubblewrap): no program bwrap"
