"""Three branches of a billion weights fused: ours in one pass, against mergekit's arcee_fusion done twice.

Each side is a process of its own that finds its inputs on the disk, not in the page cache, and tells its seconds and
its peak memory. The limit is what reading the same inputs and writing the same output takes.

Run   make bench NAME=merge          # LAYERS=1 for a small one; needs 17 GB below TMPDIR
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.result import TINY, print_result

SIZES = {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": int(os.environ.get("LAYERS", "16")),
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}
TINY_SIZES = SIZES | {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "vocab_size": 128}
BRANCHES = ("a", "b", "c")
SPREAD, DELTA = 0.02, 5e-4  # standard deviations: of weights, and of what fine-tuning adds
_BLOCK_BYTES = 1 << 24


def main(tiny: bool = TINY) -> None:
    """Make the models, run every side and print what each took; where it is tiny, all in this process."""
    with tempfile.TemporaryDirectory() as folder:
        if tiny:
            for side in (lambda place: _models(place, TINY_SIZES), _limit, _ours, _mergekit):
                side(Path(folder))()
            return
        subprocess.run([sys.executable, "-m", "bench.merge", "models", folder], check=True)
        took = {side: _measured(side, Path(folder)) for side in SIDES if side != "models"}
    print(json.dumps(took))
    print_result("merge", took["ours"]["wall_s"], took["mergekit"]["wall_s"], "mergekit arcee_fusion, twice")


def _measured(side: str, folder: Path) -> dict[str, float]:
    os.sync()
    for file in folder.rglob("*.safetensors"):
        with file.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    command = [sys.executable, "-m", "bench.merge", side, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    took: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return took


def _models(folder: Path, sizes: dict[str, int] = SIZES) -> Callable[[], object]:
    import torch
    import transformers
    from safetensors.torch import save_file

    config = transformers.LlamaConfig(
        **sizes,
        tie_word_embeddings=True,
        architectures=["LlamaForCausalLM"],
        dtype="bfloat16",
    )
    with torch.device("meta"):
        shapes = {name: each.shape for name, each in transformers.LlamaForCausalLM(config).named_parameters()}
    noise = torch.Generator().manual_seed(0)
    student = {name: (SPREAD * torch.randn(shape, generator=noise)).bfloat16() for name, shape in shapes.items()}

    def branch() -> dict[str, Any]:
        return {
            name: (each.float() + DELTA * torch.randn(each.shape, generator=noise)).bfloat16()
            for name, each in student.items()
        }

    def write() -> None:
        for name in ("student", *BRANCHES):
            config.save_pretrained(folder / name)
            weights = student if name == "student" else branch()
            save_file(weights, folder / name / "model.safetensors", metadata={"format": "pt"})

    return write


def _recipe(method: str, base: Path, models: list[Path]) -> dict[str, Any]:
    return {
        "merge_method": method,
        "base_model": str(base),
        "models": [{"model": str(model)} for model in models],
        "dtype": "float32",
        "out_dtype": "bfloat16",
    }


def _limit(folder: Path) -> Callable[[], object]:
    """Read every model and write one."""

    def copy() -> None:
        block = bytearray(_BLOCK_BYTES)
        for name in ("student", *BRANCHES):
            with (folder / name / "model.safetensors").open("rb", buffering=0) as stream:
                while stream.readinto(block):
                    pass
                size = stream.tell()
        with (folder / "copy.bin").open("wb", buffering=0) as stream:
            for _ in range(0, size, _BLOCK_BYTES):
                stream.write(block)

    return copy


def _ours(folder: Path) -> Callable[[], object]:
    import mergekit.merge  # noqa: F401  # takes seconds, here as in the other side

    from branchmerge.merging.mergekit_plugin import register
    from branchmerge.merging.streaming import stream_merge

    register()
    recipe = _recipe("branch_fusion", folder / "student", [folder / name for name in BRANCHES])

    def once() -> None:
        assert stream_merge(recipe, folder / "ours", threads=2), "not streamed, so mergekit would be measured"

    return once


def _mergekit(folder: Path) -> Callable[[], object]:
    import torch
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge

    torch.set_num_threads(2)
    options = MergeOptions(random_seed=0, lazy_unpickle=True, write_model_card=False, quiet=True, copy_tokenizer=False)

    def fuse(base: Path, other: Path, target: Path) -> None:
        recipe = _recipe("arcee_fusion", base, [base, other])
        run_merge(MergeConfiguration.model_validate(recipe), str(target), options)

    def twice() -> None:
        fuse(folder / "a", folder / "b", folder / "ab")
        fuse(folder / "ab", folder / "c", folder / "abc")

    return twice


SIDES = {"models": _models, "limit": _limit, "ours": _ours, "mergekit": _mergekit}

if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        work = SIDES[sys.argv[1]](Path(sys.argv[2]))
        start = time.perf_counter()
        work()
        wall_s = round(time.perf_counter() - start, 2)
        peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(json.dumps({"wall_s": wall_s, "peak_mib": peak_mib}))
