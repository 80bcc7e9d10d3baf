"""What tests and benchmarks of the engines share: a tiny model, vLLM's settings for a CPU, a real vLLM server."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import TINY

VLLM = {"enforce_eager": True, "max_model_len": 128, "max_num_seqs": 8}
# vLLM on a CPU, in this process, on one core
ON_CPU = {
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "TORCHDYNAMO_DISABLE": "1",
}


def tiny_model(folder: Path) -> Path:
    """A model of one layer with random weights that writes letters and digits only."""
    import torch

    from branchmerge.bases.scratch import make_network, make_tokenizer
    from branchmerge.sources.problems import Problem

    tokenizer = make_tokenizer([Problem("What is 3*4?", "3*4=12", "12")], vocab_size=384)
    network = make_network(TINY, tokenizer, seed=0)
    legible = [id_ for id_ in range(len(tokenizer)) if tokenizer.decode([id_]).isalnum()]
    with torch.no_grad():
        network.get_input_embeddings().weight[legible] *= 5  # tied: these logits are the largest
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def without_llvmlite(patch: pytest.MonkeyPatch) -> None:
    """Hide llvmlite, which merging loads: vLLM looks into every loaded module, and dies of this one."""
    for name in [name for name in sys.modules if name.split(".")[0] == "llvmlite"]:
        patch.delitem(sys.modules, name)


@contextmanager
def running_vllm(model: Path, max_num_seqs: int = 8, max_model_len: int = 128) -> Iterator[str]:
    """A real `vllm serve` on loopback; its url."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--port", str(port)]
    options = [
        "--served-model-name",
        "tiny",
        "tiny@one",
        "tiny@other",
        "--host",
        "127.0.0.1",
        "--enforce-eager",
        "--dtype",
        "float32",
    ]
    sizes = ["--no-enable-chunked-prefill", "--max-model-len", str(max_model_len), "--max-num-seqs", str(max_num_seqs)]
    environment = os.environ | ON_CPU | {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    log = model.parent / "server.log"
    with (
        log.open("w") as output,
        subprocess.Popen([*command, *options, *sizes], env=environment, stdout=output, stderr=output) as server,
    ):
        try:
            while not _is_up(port):
                assert server.poll() is None, log.read_text()[-2000:]
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(30)


def _is_up(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
            return True
    except OSError:
        return False
