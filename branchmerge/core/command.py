"""A stage as a command: its options, and the one way an error reaches the person."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from branchmerge.core import project
from branchmerge.core.code import check_code
from branchmerge.core.errors import BranchmergeError

Domain = Annotated[str, typer.Option(help="A key of domains in params.yaml.")]
Name = Annotated[str, typer.Option(help="A key of this stage's section of params.yaml.")]
Model = Annotated[str, typer.Option(help="A name of the model in params.yaml.")]
ModelPath = Annotated[Path, typer.Option(help="Folder of the model.")]


def run(command: Callable[..., Any]) -> None:
    """Run a stage's function as a command line program, in the project's folder."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)

    def stage() -> None:
        if "--help" not in sys.argv:
            check_code(Path(sys.argv[0]).stem)
        app()

    run_app(stage)


def run_app(app: Callable[[], Any]) -> None:
    """Call a program; errors raised on purpose end as one line and exit code 2.

    Any other keeps its traceback, since it is a defect and its place matters.
    """
    project.enter()
    try:
        app()
    except BranchmergeError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
