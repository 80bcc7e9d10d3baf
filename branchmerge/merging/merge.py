"""One merge, run: by mergekit, or by our stable branch fusion."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from branchmerge.chat import contract
from branchmerge.core.files import content_id, whole_folder
from branchmerge.merging.params import OURS, MergeParams
from branchmerge.merging.recipes import STUDENT, located, recipes

RECIPE = "mergekit_config.yml"
_CARRIED_OVER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "generation_config.json",
    contract.FILE,
)


def merge(params: MergeParams, seed: int, threads: int, folder: Path, known: Path | None = None) -> None:
    """Write the merged model, its tokenizer and its recipe into a folder; same inputs, same bytes.

    Args:
        seed: Of methods that draw at random.
        known: Folder that keeps what is merged on the way, for merges that begin alike; None to keep nothing.
    """
    from ruamel.yaml import YAML

    steps = recipes(params)
    with tempfile.TemporaryDirectory() as scratch:
        between = known or Path(scratch)
        made: list[Path] = []
        for step in steps[:-1]:
            recipe = located(step, made)
            made.append(between / content_id(recipe, seed))
            if not made[-1].exists():
                with whole_folder(made[-1]) as partial:
                    _run(recipe, partial, params, seed, threads)
        _run(located(steps[-1], made), folder, params, seed, threads)
    for name in _CARRIED_OVER:  # mergekit leaves some of them out, depending on the recipe
        if (STUDENT / name).exists():
            shutil.copyfile(STUDENT / name, folder / name)
    with (folder / RECIPE).open("w") as stream:
        YAML().dump_all(steps, stream)


def _run(recipe: dict[str, Any], target: Path, params: MergeParams, seed: int, threads: int) -> None:
    if params.method != OURS or params.is_parity or not _streamed(recipe, target, threads):
        _run_mergekit(recipe, target, seed, threads)


def _streamed(recipe: dict[str, Any], target: Path, threads: int) -> bool:
    from branchmerge.merging.streaming import stream_merge

    return stream_merge(recipe, target, threads)


def _run_mergekit(recipe: dict[str, Any], target: Path, seed: int, threads: int) -> None:
    import torch
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge

    from branchmerge.merging.mergekit_plugin import register

    register()  # ours is run by mergekit where it cannot be streamed
    torch.set_num_threads(threads)
    run_merge(
        MergeConfiguration.model_validate(recipe),
        str(target),
        # seeded: dare_ties drops at random, arcee_fusion samples its quantiles
        MergeOptions(random_seed=seed, lazy_unpickle=True, write_model_card=False, quiet=True),
    )
