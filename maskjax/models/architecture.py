"""An architecture: all that is particular to a family of encoders, in one record."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flax import nnx
from jax.typing import DTypeLike

from maskjax.errors import InputError
from maskjax.models.config import Activation, EncoderConfig, TaskType
from maskjax.models.encoder import Encoder
from maskjax.models.heads import MakeHead

ACTIVATIONS: dict[str, Activation] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""What transformers calls an activation → what `EncoderConfig` calls it."""

KEYS = {
    "vocab_size": "vocab_size",
    "hidden_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "intermediate_size": "intermediate_size",
    "activation": "hidden_act",
    "max_positions": "max_position_embeddings",
    "type_vocab_size": "type_vocab_size",
    "pad_token_id": "pad_token_id",
    "layer_norm_eps": "layer_norm_eps",
    "hidden_dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "head_dropout": "classifier_dropout",
    "initializer_range": "initializer_range",
}
"""Field of `EncoderConfig` → its key in `config.json`, for BERT and most of its relatives."""

DEFAULTS: dict[str, Any] = {
    "activation": "gelu",
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "layer_norm_eps": 1e-12,
    "hidden_dropout": 0.1,
    "attention_dropout": 0.1,
    "initializer_range": 0.02,
}
"""What transformers takes for an absent key; a field that is not here is required."""

COPIES = {
    "embedding_size": "hidden_size",
    "embedding_dropout": "hidden_dropout",
    "head_dropout": "hidden_dropout",
    "head_std": "initializer_range",
    "num_kv_heads": "num_heads",
    "token_dropout": "head_dropout",
    "choice_dropout": "head_dropout",
}
"""Field → the field whose value it takes where it has none."""

COMPUTED: dict[str, Any] = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}
"""Keys with the only value that is computed."""

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""Keys of mixtures of experts, of any family."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """All that is particular to a family of encoders.

    Attributes:
        name: `model_type` in `config.json`.
        torch_name: What the classes of transformers begin with, such as `Bert`.
        prefix: What the encoder's tensors begin with in the checkpoint of a model with a head.
        heads: The head of each type of task: `(config, num_outputs, rate, dtype) -> module`, where
            the rate is that of dropout.
        keys: Field of `EncoderConfig` → its key in `config.json`.
        defaults: Field → its value where the key is absent or null.
        copies: Field → the field whose value it takes where it has none.
        computed: Key of `config.json` → the only value that is computed.
        traits: Fields of `EncoderConfig` that the family fixes.
        refine: `(config, values) -> config` for what takes more than a look at one key of
            `config.json`; it raises InputError on a variant that is not computed.
        renames: Parts of PyTorch's names: ours → theirs, in the order of replacement.
        fused: Modules of a block whose kernels PyTorch stores in one matrix, each with an equal
            share of its rows, in the order of the rows.
        pooler_in_base: Whether a pretrained pooler belongs to the encoder in PyTorch, and so has
            its prefix.
        unshared: Keys of `config.json` by which the classes of transformers hold a block for each
            application of a shared one → the field of `EncoderConfig` that is their value.
        without_class: Types of tasks for whose head transformers has no class, so that it cannot be
            exported.
        own_tensor: A tensor that no family of the same names has, by the name that `renames`
            replaces; where a checkpoint has no `model_type`, it settles the family.
        unused: Full-match patterns of tensors that a model may have no use for: buffers, language
            model heads, heads of other tasks, poolers.
        encoder: `(config, dtype, remat) -> module` of the encoder.
        lowest_masked: Number of blocks → the lowest block that is masked by default.
    """

    name: str
    torch_name: str
    prefix: str
    heads: Mapping[TaskType, MakeHead]
    keys: Mapping[str, str] = field(default_factory=lambda: KEYS)
    defaults: Mapping[str, Any] = field(default_factory=lambda: DEFAULTS)
    computed: Mapping[str, Any] = field(default_factory=lambda: COMPUTED)
    copies: Mapping[str, str] = field(default_factory=lambda: COPIES)
    traits: Mapping[str, Any] = field(default_factory=dict)
    refine: Callable[[EncoderConfig, Mapping[str, Any]], EncoderConfig] = lambda config, _: config
    renames: tuple[tuple[str, str], ...] = ()
    fused: tuple[tuple[str, ...], ...] = ()
    pooler_in_base: bool = True
    unshared: Mapping[str, str] = field(default_factory=dict)
    without_class: tuple[TaskType, ...] = ()
    own_tensor: str = ""
    unused: tuple[str, ...] = ()
    encoder: Callable[[EncoderConfig, DTypeLike, bool], nnx.Module] = Encoder
    lowest_masked: Callable[[int], int] = lambda num_layers: num_layers // 6

    def rename(self, name: str) -> str:
        """Spells the name of a tensor, which is BERT's, as the family's class does."""
        for ours, theirs in self.renames:
            name = name.replace(ours, theirs)
        return name

    def read_config(self, values: Mapping[str, Any], source: str) -> EncoderConfig:
        """Reads the content of a `config.json`; errors name `source`."""
        try:
            for key in EXPERTS:
                if values.get(key) not in (None, 0, 1):
                    raise InputError(
                        f"{key} {values[key]!r}: a mixture of experts is not supported"
                    )
            for key, value in self.computed.items():
                if values.get(key, value) != value:
                    raise InputError(f"{key} {values[key]!r} is not supported, only {value!r}")
            return self.refine(EncoderConfig(family=self.name, **self._fields(values)), values)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error

    def _fields(self, values: Mapping[str, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, key in self.keys.items():
            value = values.get(key)
            fields[name] = self.defaults.get(name) if value is None else value
        fields |= self.traits
        for name, other in self.copies.items():
            if fields.get(name) is None:
                fields[name] = fields[other]
        for name, key in self.keys.items():
            if fields[name] is None:
                raise InputError(f"key {key!r} is missing; is it the config of an encoder?")
        fields["activation"] = self._activation(fields["activation"])
        return fields

    def _activation(self, name: Any) -> Activation:
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise InputError(
                f"{self.keys['activation']} {name!r} is not supported, only "
                f"{', '.join(ACTIVATIONS)}"
            )
        return ACTIVATIONS[name]


def after_padding(config: EncoderConfig, values: Mapping[str, Any]) -> EncoderConfig:
    """Sets aside the rows of the position embeddings up to that of padding, as RoBERTa does."""
    del values
    offset = config.pad_token_id + 1
    return replace(config, position_offset=offset, max_positions=config.max_positions - offset)
