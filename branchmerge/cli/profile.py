"""The commands `branchmerge profile`: whole params.yaml files, listed, shown, checked, and copied by name."""

from pathlib import Path
from typing import Annotated

import typer

from branchmerge.core.params import PARAMS
from branchmerge.core.project import typed

app = typer.Typer(no_args_is_help=True, help="Whole params.yaml files, copied by name.")


@app.command("list")
def list_profiles() -> None:
    """List the profiles; * marks the one in use."""
    from branchmerge.settings.profiles import in_use, names

    current = in_use()
    for name in names():
        print(f"{'*' if name == current else ' '} {name}")
    if current is None:
        print("params.yaml was edited: it equals no profile")


@app.command("use")
def use_profile(
    name: str, force: Annotated[bool, typer.Option(help="Lose unsaved changes of params.yaml.")] = False
) -> None:
    """Copy a profile over params.yaml, and clear outputs of stages it does not have (DVC keeps them in its cache)."""
    from branchmerge.settings.profiles import use

    for removed in use(name, force):
        print(f"removed {removed} (in the cache)")
    print(f"params.yaml is now profile {name}")


@app.command("show")
def show_profile(name: str) -> None:
    """Print a profile."""
    from branchmerge.settings.profiles import path_of

    print(path_of(name).read_text(), end="")


@app.command("check")
def check_profile(file: Annotated[Path, typer.Argument(help="A profile, or params.yaml.")] = PARAMS) -> None:
    """Check every section of a params file, and machine.yaml."""
    from branchmerge.settings.check import check, check_machine

    check(typed(file) if file != PARAMS else PARAMS)
    print(f"{file} is complete and valid")
    if machine := check_machine():
        print(f"{machine} is valid")
