"""What a source's .yaml says: which data set of a hub, and perhaps how its rows are read."""

from pathlib import Path

from pydantic import Field, NonNegativeInt, PositiveInt, ValidationError, field_validator

from branchmerge.core.errors import InputError
from branchmerge.core.params import Params
from branchmerge.sources.params import SourceColumns, SourceParams


class Pin(Params):
    """A data set on the Hugging Face hub, exactly.

    Args:
        dataset: Its name on the hub.
        revision: A commit, 40 hexadecimal digits.
        files: A pattern of the files that are read, in the data set's folder.
        n_rows: Rows of these files; others are refused. Null where they were not counted.
        licence, columns, choices_seed, where: As in params.yaml; what stands there goes first, and both
            conditions hold.
    """

    dataset: str
    revision: str = Field(pattern="^[0-9a-f]{40}$")
    files: str
    n_rows: PositiveInt | None = None
    licence: str | None = None
    columns: SourceColumns | None = None
    choices_seed: NonNegativeInt | None = None
    where: str | None = None

    @field_validator("files")
    @classmethod
    def _is_inside(cls, pattern: str) -> str:
        if not pattern or pattern.startswith("/") or ".." in pattern or "**" in pattern:
            raise ValueError("a pattern of files inside the data set, as data/train-*.parquet")
        return pattern


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
            expected="dataset, revision (40 hexadecimal digits of a commit), files (a pattern), and perhaps n_rows,"
            " licence, columns, choices_seed and where",
            got=" ".join(str(error).split()),
            do="correct the file",
        ) from None


def described(params: SourceParams, name: str) -> SourceParams:
    """A source with what its .yaml says of it; as it is where its path is none.

    Raises:
        InputError: Neither says the licence or the columns, or options are to be put in order where there are none, or
            where answers name them.
    """
    if params.path.endswith(".yaml"):
        pin = read_pin(Path(params.path))
        both = [f"({condition})" for condition in (pin.where, params.where) if condition]
        columns = params.columns or pin.columns
        seed = pin.choices_seed if params.choices_seed is None and columns and columns.choices else params.choices_seed
        params = params.model_copy(
            update={
                "licence": params.licence or pin.licence,
                "columns": columns,
                "choices_seed": seed,
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
    if params.choices_seed is not None and params.columns and params.columns.teacher is not None:
        raise InputError(
            where=f"source.{name}.choices_seed",
            expected="a source without ready-made answers",
            got="answers that name options by the letters of the file",
            do="leave it out, or the columns of the answers",
        )
    return params
