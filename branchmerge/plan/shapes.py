"""The shape of a model: what its config says about parameters and arithmetic, without loading it.

A hub model's config is not here before the build downloads it, so those of the profiles lie in profiles/configs.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from branchmerge.bases.params import HEAD_WIDTH, BaseParams
from branchmerge.core.errors import InputError

CONFIGS = Path("profiles/configs")
KNOWN = ("qwen2", "qwen3", "llama", "mistral")  # dense decoders that differ in biases and norms only


@dataclass(frozen=True)
class Shape:
    """A dense decoder with grouped-query attention and a gated MLP; all sizes in elements.

    Args:
        query, key_value: Width of all query heads, and of all key (or value) heads.
        norms: Elements of a layer's norms.
        biases: Elements of a layer's biases.
    """

    vocab: int
    hidden: int
    intermediate: int
    layers: int
    query: int
    key_value: int
    norms: int
    biases: int
    is_tied: bool

    @property
    def layer_matrices(self) -> int:
        """Weights of one layer that multiply every token."""
        return 2 * self.hidden * (self.query + self.key_value) + 3 * self.hidden * self.intermediate

    @property
    def layer(self) -> int:
        """Parameters of one layer."""
        return self.layer_matrices + self.norms + self.biases

    @property
    def embedding(self) -> int:
        """Parameters of the embedding: the largest module, which ZeRO-3 gathers at once."""
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """All parameters; tied ones count once."""
        return self.embedding * (1 if self.is_tied else 2) + self.layers * self.layer + self.hidden

    @property
    def multiplied(self) -> int:
        """Weights that multiply every token: all matrices and the output layer, not the embedding's look-up."""
        return self.layers * self.layer_matrices + self.embedding

    def adapters(self, rank: int, targets: tuple[str, ...] | None) -> int:
        """Parameters of LoRA adapters; None for those of all linear layers."""
        sizes = {
            "q_proj": self.hidden + self.query,
            "k_proj": self.hidden + self.key_value,
            "v_proj": self.hidden + self.key_value,
            "o_proj": self.hidden + self.query,
            "gate_proj": self.hidden + self.intermediate,
            "up_proj": self.hidden + self.intermediate,
            "down_proj": self.hidden + self.intermediate,
        }
        return rank * self.layers * sum(size for name, size in sizes.items() if targets is None or name in targets)


def shape_of(base: BaseParams, name: str) -> Shape | None:
    """The shape of a base model; None where only a server has it.

    Raises:
        InputError: Its config is neither here nor in profiles/configs, or of a kind not known.
    """
    if base.served:
        return None
    if base.scratch:
        shape = base.scratch.architecture
        heads = shape.hidden_size // HEAD_WIDTH
        return from_config(
            shape.model_dump() | {"model_type": "qwen2", "num_attention_heads": heads, "tie_word_embeddings": True},
            name,
        )
    if base.hub:
        file = _hub_config(base.hub.source, base.hub.revision)
    else:
        assert base.gguf is not None  # one of the four is given
        file = CONFIGS / f"{base.gguf.package}.json"
    return from_config(_read(file, name), str(file))


def _hub_config(source: str, revision: str | None) -> Path:
    """The config in a local folder, in the hub's cache, or beside the profiles."""
    if (Path(source) / "config.json").is_file():
        return Path(source) / "config.json"
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(source, "config.json", revision=revision) if source.count("/") == 1 else None
    return Path(cached) if isinstance(cached, str) else CONFIGS / f"{source}.json"


def _read(file: Path, name: str) -> dict[str, Any]:
    if not file.is_file():
        raise InputError(
            where=f"base.{name}",
            expected="the model's config, to know its size",
            got=f"no {file}",
            do=f"copy the model's config.json to {file}",
        )
    config: dict[str, Any] = json.loads(file.read_text())
    return config


def from_config(config: dict[str, Any], where: str) -> Shape:
    """The shape that a transformers config describes."""
    kind = config.get("model_type")
    if kind not in KNOWN:
        raise InputError(
            where=where,
            expected=f"a model_type among {', '.join(KNOWN)}",
            got=str(kind),
            do="plan it by hand, or add its shape",
        )
    heads = config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // heads
    key_value = (config.get("num_key_value_heads") or heads) * width
    has_bias = kind == "qwen2" or config.get("attention_bias", False)
    has_output_bias = kind in ("llama", "qwen3") and has_bias
    return Shape(
        vocab=config["vocab_size"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        query=heads * width,
        key_value=key_value,
        norms=2 * config["hidden_size"] + (2 * width if kind == "qwen3" else 0),
        biases=(heads * width + 2 * key_value if has_bias else 0) + (config["hidden_size"] if has_output_bias else 0),
        is_tied=config.get("tie_word_embeddings", False),
    )
