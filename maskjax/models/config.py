"""The shape of an encoder, read from the `config.json` of a Hugging Face checkpoint."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

from maskjax.errors import InputError

Family = Literal["bert", "roberta", "distilbert"]
TaskType = Literal["classification", "regression", "tokens", "choice"]
"""The prediction of a task: a class, a number, a class for each word, or one of several texts."""

# field: its key in config.json for BERT and RoBERTa, and for DistilBERT (None if it has none)
HF_KEYS: dict[str, tuple[str, str | None]] = {
    "vocab_size": ("vocab_size", "vocab_size"),
    "hidden_size": ("hidden_size", "dim"),
    "num_layers": ("num_hidden_layers", "n_layers"),
    "num_heads": ("num_attention_heads", "n_heads"),
    "intermediate_size": ("intermediate_size", "hidden_dim"),
    "max_positions": ("max_position_embeddings", "max_position_embeddings"),
    "type_vocab_size": ("type_vocab_size", None),
    "pad_token_id": ("pad_token_id", "pad_token_id"),
    "layer_norm_eps": ("layer_norm_eps", None),
    "hidden_dropout": ("hidden_dropout_prob", "dropout"),
    "attention_dropout": ("attention_probs_dropout_prob", "attention_dropout"),
    "head_dropout": ("classifier_dropout", "seq_classif_dropout"),
    "initializer_range": ("initializer_range", "initializer_range"),
}
# The values in transformers of absent keys, by family. A field that is not here is required.
BERT_DEFAULTS = {
    "type_vocab_size": 2,
    "pad_token_id": 0,
    "layer_norm_eps": 1e-12,
    "hidden_dropout": 0.1,
    "attention_dropout": 0.1,
    "head_dropout": None,  # as hidden_dropout
    "initializer_range": 0.02,
}
DEFAULTS: dict[Family, dict[str, Any]] = {
    "bert": BERT_DEFAULTS,
    "roberta": BERT_DEFAULTS | {"pad_token_id": 1},
    "distilbert": BERT_DEFAULTS | {"type_vocab_size": 0, "head_dropout": 0.2},
}
# The variants that the encoders compute; "gelu" is the exact one, with erf.
COMPUTED = {
    "hidden_act": "gelu",
    "activation": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The settings that define the arithmetic of an encoder, and whether it has a pooler.

    Attributes:
        family: The family, which defines names, position ids and heads.
        vocab_size: Number of token ids.
        hidden_size: Width of the residual stream.
        num_layers: Number of transformer blocks.
        num_heads: Attention heads of a block; divides `hidden_size`.
        intermediate_size: Width between the two products of the feed-forward part.
        max_positions: The longest sequence, in tokens.
        position_offset: Row of the position embeddings that belongs to the first token.
        type_vocab_size: Number of token types (segments); 0 if the family has none.
        pad_token_id: The token id of padding.
        layer_norm_eps: Added to the variance in LayerNorm.
        hidden_dropout: Dropout rate of the residual stream.
        attention_dropout: Dropout rate of the attention probabilities.
        head_dropout: Dropout rate in heads that have their own rate.
        initializer_range: Standard deviation of randomly initialized kernels.
        has_pooler: Whether the checkpoint has a pretrained pooler, as that of BERT. RoBERTa was
            trained without one, and a pooler in its checkpoint is random.
    """

    family: Family
    vocab_size: int
    hidden_size: int
    num_layers: int
    num_heads: int
    intermediate_size: int
    max_positions: int
    position_offset: int
    type_vocab_size: int
    pad_token_id: int
    layer_norm_eps: float
    hidden_dropout: float
    attention_dropout: float
    head_dropout: float
    initializer_range: float
    has_pooler: bool

    def __post_init__(self) -> None:
        """Checks every field."""
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name))
        if self.hidden_size % self.num_heads:
            raise InputError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}"
            )

    @property
    def head_size(self) -> int:
        """The width of one attention head."""
        return self.hidden_size // self.num_heads

    def with_dropout(self, rate: float | None) -> "EncoderConfig":
        """Sets every dropout rate.

        Args:
            rate: In [0, 1); None leaves the rates of the checkpoint.

        Returns:
            The configuration with that rate in residual stream, attention and head.

        Raises:
            InputError: If the rate is not in this range.
        """
        if rate is None:
            return self
        rates = dict.fromkeys(("hidden_dropout", "attention_dropout", "head_dropout"), rate)
        return dataclasses.replace(self, **rates)

    @classmethod
    def from_hf(cls, config: Mapping[str, Any], source: str) -> "EncoderConfig":
        """Reads the configuration of a Hugging Face checkpoint.

        Args:
            config: The content of `config.json`.
            source: The file, for error messages.

        Returns:
            The configuration; absent optional keys have the defaults of transformers.

        Raises:
            InputError: If the architecture or a variant is not supported, or a value is missing or
                impossible.

        Example:
            >>> tiny = {"model_type": "distilbert", "vocab_size": 9, "dim": 4, "n_layers": 1}
            >>> tiny |= {"n_heads": 2, "hidden_dim": 8, "max_position_embeddings": 16}
            >>> EncoderConfig.from_hf(tiny, "config.json").head_dropout
            0.2
        """
        family = _supported_family(config, source)
        fields = _read_fields(config, family, source)
        try:
            has_pooler = family == "bert"
            base_config = cls(family=family, position_offset=0, has_pooler=has_pooler, **fields)
            return _with_offset(base_config) if family == "roberta" else base_config
        except InputError as error:
            raise InputError(f"{source}: {error}") from error


def _supported_family(config: Mapping[str, Any], source: str) -> Family:
    name = config.get("model_type")
    if name not in tuple(DEFAULTS):
        raise InputError(
            f"{source}: model_type {name!r} is not supported; use one of: {', '.join(DEFAULTS)}"
        )
    for key, value in COMPUTED.items():
        if config.get(key, value) != value:
            raise InputError(f"{source}: {key} {config[key]!r} is not supported, only {value!r}")
    return name


def _read_fields(config: Mapping[str, Any], family: Family, source: str) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field, keys in HF_KEYS.items():
        key = keys[family == "distilbert"]
        if key is not None and key in config:
            fields[field] = config[key]
        elif field in DEFAULTS[family]:
            fields[field] = DEFAULTS[family][field]
        else:
            raise InputError(f"{source}: key {key!r} is missing; is it the config of an encoder?")
    if fields["head_dropout"] is None:
        fields["head_dropout"] = fields["hidden_dropout"]
    return fields


def _with_offset(config: EncoderConfig) -> EncoderConfig:
    """Reserves the position embeddings up to that of padding, as RoBERTa does."""
    offset = config.pad_token_id + 1
    usable = config.max_positions - offset
    return dataclasses.replace(config, position_offset=offset, max_positions=usable)


def _check(name: str, value: Any) -> None:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    is_number = is_integer or (isinstance(value, float) and math.isfinite(value))
    match name:
        case "family":
            valid, expected = value in get_args(Family), f"one of {', '.join(get_args(Family))}"
        case "position_offset" | "type_vocab_size" | "pad_token_id":
            valid, expected = is_integer and value >= 0, "an integer, 0 or more"
        case "hidden_dropout" | "attention_dropout" | "head_dropout":
            valid, expected = is_number and 0 <= value < 1, "a rate in [0, 1)"
        case "layer_norm_eps" | "initializer_range":
            valid, expected = is_number and value > 0, "a number above 0"
        case "has_pooler":
            valid, expected = isinstance(value, bool), "a bool"
        case _:
            valid, expected = is_integer and value > 0, "an integer above 0"
    if not valid:
        raise InputError(f"{name} is {value!r}; expected {expected}")
