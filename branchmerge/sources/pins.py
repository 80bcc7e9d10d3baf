"""What a source's .yaml says: which data set of a hub, and perhaps how its rows are read."""

from pathlib import Path

from pydantic import Field, NonNegativeInt, ValidationError

from branchmerge.core.errors import InputError
from branchmerge.core.params import Params
from branchmerge.sources.params import SourceColumns, SourceParams


class Pin(Params):
    """A data set on the Hugging Face hub, exactly.

    Args:
        dataset: Its name on the hub.
        revision: A commit, 40 hexadecimal digits.
        files: A pattern of the files that are read.
        licence, columns, choices_seed, where: As in params.yaml; what stands there goes first, and both
            conditions hold.
    """

    dataset: str
    revision: str = Field(pattern="^[0-9a-f]{40}$")
    files: str
    licence: str | None = None
    columns: SourceColumns | None = None
    choices_seed: NonNegativeInt | None = None
    where: str | None = None


def read_pin(file: Path) -> Pin:
    """The pin in a .yaml file.

    Raises:
        InputError: It is none.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return Pin.model_validate(YAML(typ="safe").load(file))
    except (OSError, ValidationError, YAMLError) as error:
        raise InputError(
            where=str(file),
            expected="dataset, revision (40 hexadecimal digits of a commit), files (a pattern), and perhaps licence,"
            " columns, choices_seed and where",
            got=" ".join(str(error).split()),
            do="correct the file",
        ) from None


def described(params: SourceParams, name: str) -> SourceParams:
    """A source with what its .yaml says of it; as it is where its path is none.

    Raises:
        InputError: Neither says the licence or the columns, or choices are to be ordered where there are none.
    """
    if params.path.endswith(".yaml"):
        pin = read_pin(Path(params.path))
        both = [f"({condition})" for condition in (pin.where, params.where) if condition]
        params = params.model_copy(
            update={
                "licence": params.licence or pin.licence,
                "columns": params.columns or pin.columns,
                "choices_seed": pin.choices_seed if params.choices_seed is None else params.choices_seed,
                "where": " and ".join(both) or None,
            }
        )
        if missing := [what for what in ("licence", "columns") if getattr(params, what) is None]:
            raise InputError(
                where=f"source.{name}",
                expected=" and ".join(missing),
                got=f"none, neither there nor in {params.path}",
                do="add it to params.yaml",
            )
    if params.choices_seed is not None and (params.columns is None or params.columns.choices is None):
        raise InputError(
            where=f"source.{name}.choices_seed",
            expected="a source with columns.choices",
            got="no options to put in order",
            do="leave it out, or name the column of the options",
        )
    return params
