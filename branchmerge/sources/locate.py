"""The files of a source, wherever they lie: here, in a bucket, or in a data set of a hub."""

from pathlib import Path

from branchmerge.core.errors import InputError
from branchmerge.sources.pins import read_pin

KINDS = (".parquet", ".jsonl", ".json", ".csv")
# what lies beside the data of a data set, in the words of the hub; a name that starts with a point is passed over, too
_BESIDE_SUFFIXES = {
    ".md",
    ".rst",
    ".py",
    ".png",
    ".jpg",
    ".jpeg",
    ".svg",
    ".gif",
    ".pdf",
    ".bib",
    ".cff",
    ".yaml",
    ".yml",
    ".toml",
    ".ipynb",
    ".sh",
    ".webp",
}
_BESIDE_STEMS = {"readme", "license", "licence", "notice", "citation", "requirements"}
_BESIDE_NAMES = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json"}


def files_of(path: str, folder: Path) -> list[Path]:
    """The files of a path, all of one kind; what lies elsewhere is fetched into the folder.

    Raises:
        InputError: Nothing there, files of two kinds or of an unknown one, or a pin or bucket that cannot be used.
    """
    if path.endswith(".yaml"):
        found = _from_hub(Path(path))
    elif "://" in path:
        found = [_from_bucket(path, folder)]
    elif Path(path).is_dir():
        found = _data_of(Path(path))
    else:
        found = [Path(path)]
    files = [file for file in found if file.is_file()]
    kinds = set(map(kind_of, files))
    if len(kinds) == 1 and kinds <= set(KINDS):
        return files
    raise InputError(
        where=path,
        expected=f"files that all end in one of {', '.join(KINDS)} (.gz allowed)",
        got="no such file" if not kinds else ", ".join(file.name for file in files[:3]),
        do="correct files in it" if path.endswith(".yaml") else "correct the path in params.yaml",
    )


def _data_of(folder: Path) -> list[Path]:
    """The files of a folder, but what a hub's data set has beside its data, and what its download leaves there.

    Raises:
        InputError: A link in it leads nowhere.
    """
    found = []
    for file in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if is_hidden or _is_beside(file) or file.is_dir():
            continue
        if not file.exists():
            raise InputError(
                where=str(file), expected="a file", got="a link to one that is gone", do="fetch the data set again"
            )
        found.append(file)
    return found


def _is_beside(file: Path) -> bool:
    if file.suffix in KINDS:
        return file.name in _BESIDE_NAMES
    return file.suffix.lower() in _BESIDE_SUFFIXES or file.name.split(".")[0].lower() in _BESIDE_STEMS


def kind_of(file: Path) -> str:
    """One of `KINDS`, or the ending of another file."""
    return Path(file.name.removesuffix(".gz")).suffix


def _from_hub(pin_file: Path) -> list[Path]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    pin = read_pin(pin_file)
    try:
        folder = snapshot_download(
            pin.dataset,
            repo_type="dataset",
            revision=pin.revision,
            allow_patterns=[pin.files],
            library_name="branchmerge",
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, ValueError) as error:
        raise InputError(
            where=str(pin_file),
            expected=f"data set {pin.dataset} at {pin.revision}, on the hub or in its local cache",
            got=str(error).splitlines()[0],
            do="correct the pin, log in (hf auth login), or unset HF_HUB_OFFLINE",
        ) from None
    return sorted(Path(folder).glob(pin.files))


def _from_bucket(path: str, folder: Path) -> Path:
    import fsspec

    target = folder / Path(path).name
    try:
        filesystem, remote = fsspec.core.url_to_fs(path)
        filesystem.get_file(remote, str(target))
    except Exception as error:  # each kind of bucket has its own errors
        raise InputError(
            where=path,
            expected="a file in a bucket, and the right to read it",
            got=f"{type(error).__name__}: {error}",
            do="install the extra s3, set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or correct the address",
        ) from None
    return target
