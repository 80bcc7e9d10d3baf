"""The command `branchmerge`: profiles, the plan, the result, and what this machine has."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from branchmerge.cli import profile, store
from branchmerge.core.command import run_app
from branchmerge.core.errors import InputError
from branchmerge.core.machine import VARIABLE
from branchmerge.core.project import typed

METRICS = Path("reports/metrics.json")
SEARCH = Path("search.yaml")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(profile.app, name="profile")
app.add_typer(store.app, name="store")


@app.command()
def table() -> None:
    """Print the result: accuracy of every model in every domain, with its interval."""
    import rich
    from rich.table import Table

    from branchmerge.cli.lock import times_unlike_git, unlike_git
    from branchmerge.evaluation.statistics import mean_of_domains

    if not METRICS.is_file():
        raise InputError(where=str(METRICS), expected="the result of a build", got="no such file", do="run dvc repro")
    accuracy = json.loads(METRICS.read_text())["accuracy"]
    domains = list(next(iter(accuracy.values())))
    result = Table("model", *(f"{domain} %" for domain in domains), "mean %")
    for model, row in accuracy.items():
        cells = [
            f"{100 * of['mean']:.1f} [{100 * of['low']:.1f}, {100 * of['high']:.1f}]" if of else "not judged"
            for of in (row[domain] for domain in domains)
        ]
        mean = f"{100 * mean_of_domains({d: row[d]['mean'] for d in domains}):.1f}" if all(row.values()) else "-"
        result.add_row(model, *cells, mean)
    rich.print(result)
    if unlike := unlike_git():
        print(
            f"{', '.join(unlike)}: other bytes than dvc.lock in git records, of the same inputs. Processors round"
            " differently, and so they do with other threads (made_with in reports/cost); a source may have changed."
        )
    elif n_times := times_unlike_git():
        print(
            f"Data, models and scores are the bytes that dvc.lock in git records; its {n_times} others tell times."
            " git checkout dvc.lock && dvc checkout takes git's, where a remote has them."
        )


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A model of reports/eval.")],
    second: Annotated[str | None, typer.Argument(metavar="[B]", help="Another; with --rev A again.")] = None,
    rev: Annotated[
        str | None, typer.Option(metavar="REV", help="B as it was at this git revision or experiment.")
    ] = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the intervals.")] = 0.95,
    flips: Annotated[int, typer.Option(min=0, help="Name so many of the questions that changed, each way.")] = 3,
    fail_below: Annotated[
        float | None, typer.Option(metavar="POINTS", help="Exit code 1 where A - B is less, in any benchmark.")
    ] = None,
) -> None:
    """Hold two models against each other, question by question: is A better than B, beyond chance, and where."""
    import rich

    from branchmerge.cli.compare import compare as run
    from branchmerge.cli.compare import shown

    if second is None and rev is None:
        raise InputError(where="compare", expected="a second model, or --rev", got=f"only {first}", do="name one")
    outcome = run(first, second or first, rev, confidence)
    rich.print(shown(outcome, first, f"{second or first}{f' at {rev}' if rev else ''}", confidence))
    for of in outcome.benchmarks:
        for label, questions in (("gained", of.comparison.gained), ("lost", of.comparison.lost)):
            named = f", such as {', '.join(questions[:flips])}" if questions and flips else ""
            print(f"{of.benchmark}: {len(questions)} questions {label}{named}")
    if outcome.left_out:
        print(f"not compared, for want of a question that both were asked: {', '.join(outcome.left_out)}")
    if outcome.left_out and fail_below is not None:
        raise InputError(
            where="compare --fail-below",
            expected="every benchmark compared",
            got=f"none of {', '.join(outcome.left_out)}",
            do="evaluate both models on the same benchmarks: dvc repro",
        )
    if outcome.unlike:
        print(f"made differently, which may show: {outcome.unlike}")
    if fail_below is not None and outcome.is_below(fail_below):
        print(f"A - B is below {fail_below:g} points", file=sys.stderr)
        sys.exit(1)


@app.command()
def plan(
    gpu: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A device of branchmerge/plan/gpus.yaml. Default: this machine's GPU; without one, cpu for float32"
            " and H100 for bfloat16.",
        ),
    ] = None,
    machine: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Plan for this machine.yaml, such as machines/32-gpus.yaml.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Cost of stages that would not run, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as JSON: bytes, seconds, operations.")] = False,
) -> None:
    """Tell what would run and why, what it computes and costs, and whether it fits; exit code 2 where it does not."""
    import rich

    from branchmerge.plan.plan import make_plan
    from branchmerge.plan.show import tables

    if machine is not None:
        os.environ[VARIABLE] = str(typed(machine))
    made = make_plan(gpu)
    if as_json:
        print(json.dumps(made.as_json(), indent=2))
        return
    for part in tables(made, everything):
        rich.print(part)


@app.command()
def search(
    file: Annotated[Path, typer.Argument(help="What to try, and on how many questions.")] = SEARCH,
    write: Annotated[
        bool, typer.Option(help="Write the best into params.yaml, if it is better beyond chance.")
    ] = False,
) -> None:
    """Find a better merge on dev questions: many candidates on few, the best of them on more."""
    import rich
    from rich.table import Table

    from branchmerge.search.run import RESULT, write_choice
    from branchmerge.search.run import search as run

    searched = run(file if file == SEARCH else typed(file))
    rows, outcome = searched.rows(), searched.outcome
    result = Table("merge", "questions", *(f"{domain} %" for domain in rows[0]["accuracy"]), "mean %", "to params.yaml")
    for row in rows:
        cells = [f"{100 * mean:.1f}" for mean in (*row["accuracy"].values(), row["mean"])]
        mean, low, high = (100 * row["gain"][bound] for bound in ("mean", "low", "high"))
        result.add_row(
            row["candidate"],
            str(row["questions"]),
            *cells,
            f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]".replace("[", r"\["),
        )
    rich.print(result)
    print(
        f"{searched.asked_tokens:,} tokens generated; to ask all {len(rows)} merges everything takes about"
        f" {outcome.naive_tokens:,.0f}. Every row: {RESULT}"
    )
    if not outcome.is_better:
        print("params.yaml stays: nothing is better beyond chance")
    elif write:
        write_choice(outcome.best.candidate.changes)
        print(f"params.yaml is now {outcome.best.candidate.name}: dvc repro")
    else:
        print(f"better: {outcome.best.candidate.name}; --write puts it into params.yaml")


@app.command()
def funnel(
    domain: Annotated[str | None, typer.Option(help="Only this domain.")] = None,
    diff: Annotated[str | None, typer.Option(metavar="REV", help="Beside this git revision, as old -> new.")] = None,
    by_source: Annotated[bool, typer.Option("--by-source", help="A table for each source too.")] = False,
) -> None:
    """Print how many traces each rule of curate took, and how many were left."""
    import rich
    from rich.table import Table

    from branchmerge.core.params import read_section
    from branchmerge.curation.funnel import lines, read, read_of

    domains = [domain] if domain else list(read_section("domains"))
    now, then = read(domains), read_of(diff, domains) if diff else {}
    for name, rows in now.items():
        sources = sorted({row["source"] for row in rows if row["source"]}) if by_source else []
        for source in (None, *sources):
            printed = Table(name if source is None else f"{name}: {source}", "rejected", "only by it", "left")
            for line in lines(rows, then.get(name), source):
                printed.add_row(*line)
            rich.print(printed)


@app.command()
def query(
    statement: Annotated[str, typer.Argument(help="SQL over prompts, traces, verdicts, sft, rejected, scores...")],
    csv: Annotated[bool, typer.Option("--csv", help="All rows as CSV, instead of a table.")] = False,
) -> None:
    """Ask the build's rows by SQL (DuckDB)."""
    import pyarrow.csv

    from branchmerge.cli.query import run as ask

    relation = ask(statement)
    if relation is not None and csv:
        pyarrow.csv.write_csv(relation.to_arrow_table(), sys.stdout.buffer)
    elif relation is not None:
        relation.show(max_width=200)


@app.command()
def doctor() -> None:
    """Tell what this machine has; exit code 1 where the build cannot run."""
    import rich
    from rich.table import Table

    from branchmerge.cli.doctor import findings, machine
    from branchmerge.core.machine import NAME, machine_file

    found = findings()
    marks = {True: "[green]ok[/]", False: "[red]no[/]", None: ""}
    result = Table("what", "found", "")
    for finding in found:
        result.add_row(finding.name, finding.value.replace("[", r"\["), marks[finding.is_fine])
    rich.print(result)
    where = machine_file() or f"no {NAME}: all of it was found by looking"
    understood = Table("key", "value", "from", title=f"the machine as it is understood ({where})")
    for key, value, origin in machine():
        understood.add_row(key, value, origin)
    rich.print(understood)
    if any(finding.is_fine is False for finding in found):
        sys.exit(1)


@app.command()
def clean() -> None:
    """Clear outputs of stages the build no longer has (DVC keeps them in its cache)."""
    from branchmerge.settings.outputs import remove_stale

    for removed in remove_stale():
        print(f"removed {removed} (in the cache)")


@app.command()
def schema(
    file: Annotated[str, typer.Argument(help="params, machine or search.")] = "params",
    write: Annotated[bool, typer.Option(help="Write docs/reference.md and docs/schema instead.")] = False,
) -> None:
    """Print the JSON Schema of params.yaml, machine.yaml or search.yaml, by which editors complete and check it."""
    from branchmerge.settings.reference import write_reference
    from branchmerge.settings.schema import FILES, schema_of

    if write:
        print("wrote", *write_reference())
        return
    if file not in FILES:
        raise InputError(where="schema", expected=f"one of {', '.join(FILES)}", got=file, do="name one")
    print(json.dumps(schema_of(file), indent=2))


@app.command()
def accept(
    stage: Annotated[list[str], typer.Argument(help="Stages, as sft@math, or sft for all of its kind.")],
    why: Annotated[str, typer.Option(help="Why they would come out the same; kept in code/accepted.jsonl.")],
) -> None:
    """Keep outputs that you know a change of code or libraries leaves as they are; nothing else may have changed."""
    from branchmerge.cli.accept import RECORD
    from branchmerge.cli.accept import accept as run

    for name in run(stage, why):
        print(f"{name} is up to date: accepted")
    print(f"commit dvc.lock and {RECORD}")


def main() -> None:
    """Entry point, in the project's folder."""
    run_app(app)


if __name__ == "__main__":
    main()
