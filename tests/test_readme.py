"""What README tells to type exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

TARGETS = re.compile(r"^([a-z]+):", re.MULTILINE)


def commands(project: Path) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", (project / "README.md").read_text(), re.DOTALL)
    return [
        line.removeprefix("$ ").split("#")[0].strip()
        for block in blocks
        for line in block.splitlines()
        if line[:1] == "$"
    ]


def test_every_make_target_of_readme_exists(project: Path):
    targets = set(TARGETS.findall((project / "Makefile").read_text()))
    used = {command.split()[1] for command in commands(project) if command.startswith("make ")}

    assert used == {"repro", "test"}
    assert used <= targets


def test_every_branchmerge_command_of_readme_exists(project: Path):
    used = [command.split()[1:] for command in commands(project) if command.startswith("branchmerge ")]

    assert len(used) >= 3
    for words in used:
        group = words[:2] if words[0] == "profile" else words[:1]
        done = subprocess.run(
            [sys.executable, "-m", "branchmerge.cli.main", *group, "--help"],
            cwd=project,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, words


def test_the_table_of_readme_has_all_models_of_the_toy(project: Path):
    from branchmerge.core.params import read_value

    table = (project / "README.md").read_text().split("## Change one thing")[0]

    assert [name for name in read_value("models", project / "profiles/toy.yaml") if f"| {name} " not in table] == []


def test_the_links_of_readme_lead_somewhere(project: Path):
    links = re.findall(r"\]\(([^)#]+)\)", (project / "README.md").read_text())

    assert links
    assert [link for link in links if not (project / link).exists()] == []


def yaml_of_readme(project: Path, section: str) -> str:
    (block,) = re.findall(rf"```yaml\n({section}:.*?)```", (project / "README.md").read_text(), re.DOTALL)
    return block


@pytest.mark.parametrize("name", ["openr1", "livecodebench"])
def test_the_sources_of_readme_are_valid(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    from branchmerge.core.params import read_params
    from branchmerge.sources.params import SourceParams
    from branchmerge.sources.pins import described

    (tmp_path / "params.yaml").write_text(yaml_of_readme(project, "source"))
    (tmp_path / "sources").symlink_to(project / "sources")
    monkeypatch.chdir(tmp_path)

    source = described(read_params(SourceParams, name=name), name)
    assert source.columns
    assert source.licence
    assert source.where


def test_every_benchmark_of_the_folder_sources_is_in_readme(project: Path):
    from branchmerge.sources.pins import read_pin

    text = (project / "README.md").read_text()
    benchmarks = [file.stem for file in (project / "sources").glob("*.yaml") if read_pin(file).columns]

    assert len(benchmarks) == 12
    assert [name for name in benchmarks if f"`{name}`" not in text] == []


def test_the_merge_of_readme_is_valid_in_the_toy(project: Path, tmp_path: Path):
    from ruamel.yaml import YAML

    from branchmerge.core.params import read_params, read_section
    from branchmerge.merging.params import MergeParams

    merge = {
        **read_section("merge", project / "profiles/toy.yaml"),
        **YAML().load(yaml_of_readme(project, "merge"))["merge"],
    }
    YAML().dump({"merge": merge}, tmp_path / "params.yaml")

    assert read_params(MergeParams, file=tmp_path / "params.yaml").own_parameters["density"][0]["value"] == 0.8
