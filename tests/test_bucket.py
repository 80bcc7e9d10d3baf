"""A source in a bucket, on a real S3 server on loopback: read by its stage, tracked by DVC."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from branchmerge.core.errors import InputError
from branchmerge.core.files import read_rows
from branchmerge.core.records import SOURCE
from stages.source import main

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("s3fs") is None, reason="dvc-s3 IS NOT INSTALLED: sources in buckets are not tested"
    ),
]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of a SeaweedFS server, found by AWS's own environment variables."""
    import s3fs

    port = free_port()
    weed = Path(sys.executable).parent / "weed"
    command = [weed, "mini", f"-dir={tmp_path / 'weed'}", "-ip=127.0.0.1", f"-s3.port={port}"]
    (tmp_path / "weed").mkdir()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    log = tmp_path / "weed.log"
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, cwd=tmp_path) as server:
        try:
            for _ in range(120):
                assert server.poll() is None, log.read_text()[-2000:]
                try:
                    s3fs.S3FileSystem(skip_instance_cache=True).mkdir("questions")
                    break
                except OSError:
                    time.sleep(0.5)
            yield "s3://questions"
        finally:
            server.terminate()
            server.wait(30)


def write_params(folder: Path, path: str) -> None:
    source = {
        "path": path,
        "licence": "MIT",
        "columns": {"question": "question", "answer": "answer"},
        "max_train_rows": 20,
        "max_test_rows": 5,
    }
    (folder / "params.yaml").write_text(json.dumps({"run": {"seed": 0}, "source": {"sums": source}}))


def test_a_file_in_a_bucket_is_a_source(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import s3fs

    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"question": f"What is {number}+1?", "answer": str(number + 1)}) for number in range(60)]
    s3fs.S3FileSystem(skip_instance_cache=True).pipe_file(f"{bucket}/sums.jsonl", "\n".join(lines).encode())
    write_params(tmp_path, f"{bucket}/sums.jsonl")
    main("sums")

    rows = read_rows(Path("data/sources/sums.parquet"), SOURCE)
    assert [sum(row["split"] == split for row in rows) for split in ("train", "test")] == [20, 5]

    write_params(tmp_path, f"{bucket}/nowhere.jsonl")
    with pytest.raises(InputError, match="a file in a bucket"):
        main("sums")


def test_dvc_reruns_a_source_whose_file_in_the_bucket_changed(bucket: str, tmp_path: Path):
    import s3fs

    stored = s3fs.S3FileSystem(skip_instance_cache=True)
    stored.pipe_file(f"{bucket}/one.txt", b"one")
    folder = tmp_path / "build"
    folder.mkdir()
    (folder / "dvc.yaml").write_text(
        f"stages:\n  one:\n    cmd: echo made > made.txt\n    deps:\n      - {bucket}/one.txt\n"
        "    outs:\n      - made.txt\n"
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def dvc(*arguments: str) -> str:
        done = subprocess.run(
            ["dvc", *arguments],
            cwd=folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    dvc("init", "-q", "--no-scm")
    assert "Running stage" in dvc("repro")
    assert "Running stage" not in dvc("repro")
    stored.pipe_file(f"{bucket}/one.txt", b"two")
    assert "Running stage" in dvc("repro")
