"""The files of a source, wherever they lie: here, in a bucket, or in a data set of a hub."""

import gzip
from pathlib import Path

from branchmerge.core.errors import InputError
from branchmerge.sources.pins import read_pin

# texts stay as they stand: no date is recognised in JSON (no text has these formats), and a CSV has texts only
_JSON = "read_json_auto({}, dateformat = '\x01', timestampformat = '\x01', maximum_object_size = {})"
READERS = {
    ".parquet": "read_parquet({})",
    ".jsonl": _JSON,
    ".json": _JSON,
    ".csv": "read_csv_auto({}, all_varchar = true)",
}
_OBJECT_BYTES = 1 << 24  # DuckDB's own limit; it sets aside twice as much for each file


def reader_of(path: str, folder: Path) -> str:
    """SQL of DuckDB that reads the files of a path; what lies elsewhere is fetched into the folder.

    Raises:
        InputError: Nothing there, files of two kinds or of an unknown one, or a pin or bucket that cannot be used.
    """
    if path.endswith(".yaml"):
        found = _from_hub(Path(path))
    elif "://" in path:
        found = [_from_bucket(path, folder)]
    else:
        found = sorted(Path(path).rglob("*")) if Path(path).is_dir() else [Path(path)]
    files = [file for file in found if file.is_file()]
    readers = {READERS.get(Path(file.name.removesuffix(".gz")).suffix) for file in files}
    if len(readers) == 1 and (reader := readers.pop()):
        names = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
        longest = max(map(_longest_line, files)) if reader == _JSON else 0
        return reader.format(f"[{names}]", max(longest + 1, _OBJECT_BYTES))
    raise InputError(
        where=path,
        expected=f"files that all end in one of {', '.join(READERS)} (.gz allowed)",
        got="no such file" if not readers else ", ".join(file.name for file in found[:3]) or "none",
        do="correct files in it" if path.endswith(".yaml") else "correct the path in params.yaml",
    )


def _longest_line(file: Path) -> int:
    """Bytes; 0 where none can be too long for DuckDB, and for a .json, whose objects are no lines."""
    if ".jsonl" not in file.suffixes or (file.suffix == ".jsonl" and file.stat().st_size < _OBJECT_BYTES):
        return 0
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        return max(map(len, lines), default=0)


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
