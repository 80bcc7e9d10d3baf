"""A stage as a command: its options, and the one way an error reaches the person."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from stages.shared.errors import BranchmergeError

Domain = Annotated[str, typer.Option(help="A key of domains in params.yaml.")]
Name = Annotated[str, typer.Option(help="A key of this stage's section of params.yaml.")]
Model = Annotated[str, typer.Option(help="A name of the model in params.yaml.")]
ModelPath = Annotated[Path, typer.Option(help="Folder of the model.")]


def run(command: Callable[..., Any]) -> None:
    """Run a stage's function as a command line program.

    Errors raised on purpose end as one line and exit code 2; any other keeps its traceback, since
    it is a defect and its place matters.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app()
    except BranchmergeError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
