"""The commands `branchmerge store`: what the row store holds, out to a file, in from a file, and less of it."""

from pathlib import Path
from typing import Annotated

import typer

from branchmerge.core.project import typed

app = typer.Typer(no_args_is_help=True, help="The row store: every teacher answer, kept once for all projects.")


@app.command("stats")
def store_stats() -> None:
    """Count rows and tokens by teacher."""
    import time

    import rich
    from rich.table import Table

    from branchmerge.rowstore.upkeep import holdings, path

    result = Table("teacher", "rows", "failed", "prompt tokens", "answer tokens", "last answer")
    for held in holdings():
        counts = (f"{count:,.0f}" for count in held[1:5])
        result.add_row(held.teacher, *counts, time.strftime("%Y-%m-%d %H:%M", time.localtime(held.newest_s)))
    rich.print(result)
    print(f"{path()}: {path().stat().st_size / 2**20:.1f} MiB")


@app.command("export")
def store_export(
    file: Path, teacher: Annotated[str | None, typer.Option(help="Only this teacher's, as stats names it.")] = None
) -> None:
    """Write answers to a Parquet file."""
    from branchmerge.rowstore.upkeep import export

    print(f"{export(typed(file), teacher)} answers in {file}")


@app.command("import")
def store_import(file: Path) -> None:
    """Take in answers that export wrote, on this machine or another."""
    from branchmerge.rowstore.upkeep import take_in

    print(f"{take_in(typed(file))} new answers")


@app.command("prune")
def store_prune(
    teacher: Annotated[str | None, typer.Option(help="Only this teacher's, as stats names it.")] = None,
    older_than_days: Annotated[float | None, typer.Option(help="Only answers stored before.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only rows that failed.")] = False,
) -> None:
    """Delete answers that meet every condition given."""
    from branchmerge.rowstore.upkeep import prune

    print(f"{prune(teacher, older_than_days, failed)} answers deleted")
