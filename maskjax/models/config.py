"""The shape of an encoder: everything that fixes its arithmetic."""

import dataclasses
import math
from typing import Any, Literal, get_args

from maskjax.errors import InputError
from maskjax.models.distances import Disentangled

TaskType = Literal["classification", "regression", "tokens", "choice"]
"""What a head predicts: one class, one number, a class for each word, or one of several texts."""
Positions = Literal["columns", "tokens", "rotary", "none"]
"""Whether a table has a row for each column of a batch, or for each token that is not padding, or
queries and keys are rotated by their column, or nothing is added to the embeddings of tokens."""
Pooling = Literal["first", "last", "mean", "late"]
"""What the head of a row sees: the first or the last token, or the mean of all that are not
padding, or each of these, whereupon its outputs are averaged."""
Norm = Literal["layer_norm", "rms_norm", "rms_norm_plus_one"]
"""Whether norms divide by the deviation from the mean or by the root mean square; the scale of the
last kind is one plus its parameter."""
Sharing = Literal["none", "shared", "unshared"]
"""Whether blocks differ, or are one whose parameters have one path, or one per application."""
Activation = Literal["gelu", "gelu_tanh", "relu", "silu", "tanh"]

RATES = (
    "embedding_dropout",
    "hidden_dropout",
    "attention_dropout",
    "head_dropout",
    "token_dropout",
    "choice_dropout",
    "pooler_dropout",
)
CHOICES = {
    "activation": get_args(Activation),
    "pooler_activation": get_args(Activation),
    "positions": get_args(Positions),
    "pooling": get_args(Pooling),
    "norm": get_args(Norm),
    "sharing": get_args(Sharing),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Convolution:
    """A convolution over the tokens of the embeddings, which is added after the first block.

    Attributes:
        width: How many tokens it spans; odd.
        groups: Groups of features that do not mix; divides `hidden_size`.
        activation: The function after it.
    """

    width: int
    groups: int
    activation: Activation


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Everything that fixes the arithmetic of an encoder and its heads.

    Attributes:
        family: The `model_type` of its architecture, a key of `ARCHITECTURES`.
        vocab_size: Number of token ids.
        embedding_size: Width of the embeddings; another than `hidden_size` means that a dense layer
            stands between them and the first block.
        projects_embeddings: Whether it stands there even where both widths are one.
        hidden_size: Width of the residual stream.
        num_layers: Number of transformer blocks, one applied after the other.
        sharing: Whether these are one block: `shared` has its parameters under the path of block 0,
            `unshared` under one path for each application.
        num_heads: Attention heads per block; divides `hidden_size`.
        num_kv_heads: Heads of keys and values, each for as many heads of queries; divides
            `num_heads`.
        head_dim: Width of a head where that is not `hidden_size / num_heads`; else 0.
        intermediate_size: Width between the two products of the feed-forward part.
        activation: The function between these two.
        max_positions: The longest sequence, in tokens.
        positions: How tokens are numbered.
        position_offset: Row of the position embeddings that belongs to the first token.
        thetas: For each block the base of the angles by which queries and keys are rotated; empty
            without rotation.
        windows: For each block how far to either side a token attends, in tokens, 0 for any
            distance; empty for any distance in all blocks.
        pooling: What the head of a row sees.
        relative_buckets: Buckets of distances with a learned bias per head; 0 for none.
        disentangled: How attention sees distances that have embeddings; None for none of these.
        convolution: What DeBERTa-v2 adds after the first block; None for nothing.
        type_vocab_size: Number of token types (segments); 0 where the family has none.
        uses_token_types: Whether token types come with the inputs; else all tokens have type 0.
        pad_token_id: The token id of padding.
        norm: What norms compute.
        normalizes_embeddings: Whether a norm follows the embeddings, in place of one in the first
            block.
        normalizes_queries: Whether queries and keys have a norm for each head.
        normalizes_outputs: Whether a norm follows each half of a block, besides that before it.
        scales_embeddings: Whether embeddings are multiplied by the square root of their width.
        layer_norm_eps: Added to the variance, or to the mean square, in norms.
        hidden_dropout: Dropout rate of the residual stream; of the feed-forward half where that is
            gated.
        embedding_dropout: Dropout rate of the embeddings.
        drops_attention_output: Whether the rate of the residual stream holds after the attention
            output too.
        drops_output: Whether it holds after the feed-forward half too.
        attention_dropout: Dropout rate of the attention probabilities.
        head_dropout: Dropout rate in the head of a class or a number.
        token_dropout: Dropout rate in the head of words.
        choice_dropout: Dropout rate in the head of choices.
        pooler_dropout: Dropout rate before a pooler that has one.
        pooler_activation: The function after such a pooler.
        initializer_range: Standard deviation of newly drawn kernels of the encoder.
        head_std: Standard deviation of newly drawn kernels of a head.
        biases: Whether dense layers and norms have biases; the output of a head always has one.
        has_pooler: Whether a pretrained pooler comes with it, as with BERT. RoBERTa was trained
            without one: where a checkpoint holds a pooler, it holds random numbers.
    """

    family: str
    vocab_size: int
    embedding_size: int
    projects_embeddings: bool = False
    hidden_size: int
    num_layers: int
    sharing: Sharing = "none"
    num_heads: int
    num_kv_heads: int
    head_dim: int = 0
    intermediate_size: int
    activation: Activation = "gelu"
    max_positions: int
    positions: Positions = "columns"
    position_offset: int = 0
    thetas: tuple[float, ...] = ()
    windows: tuple[int, ...] = ()
    pooling: Pooling = "first"
    relative_buckets: int = 0
    disentangled: Disentangled | None = None
    convolution: Convolution | None = None
    type_vocab_size: int
    uses_token_types: bool
    pad_token_id: int
    norm: Norm = "layer_norm"
    normalizes_embeddings: bool = True
    normalizes_queries: bool = False
    normalizes_outputs: bool = False
    scales_embeddings: bool = False
    layer_norm_eps: float
    hidden_dropout: float
    embedding_dropout: float
    drops_attention_output: bool = True
    drops_output: bool = True
    attention_dropout: float
    head_dropout: float
    token_dropout: float
    choice_dropout: float
    pooler_dropout: float = 0.0
    pooler_activation: Activation = "gelu"
    initializer_range: float
    head_std: float
    biases: bool = True
    has_pooler: bool = False

    def __post_init__(self) -> None:
        """Checks every field."""
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name))
        if not self.head_dim and self.hidden_size % self.num_heads:
            raise InputError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}"
            )
        if self.num_heads % self.num_kv_heads:
            raise InputError(
                f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}"
            )
        for name in ("thetas", "windows"):
            if (values := getattr(self, name)) and len(values) != self.num_layers:
                raise InputError(
                    f"{name} has {len(values)} entries; expected one for each of "
                    f"{self.num_layers} blocks"
                )

    @property
    def num_blocks(self) -> int:
        """How many blocks have paths of their own."""
        return 1 if self.sharing == "shared" else self.num_layers

    @property
    def head_size(self) -> int:
        """The width of one attention head."""
        return self.head_dim or self.hidden_size // self.num_heads

    @property
    def has_position_table(self) -> bool:
        """Whether positions have embeddings that are added to those of tokens."""
        return self.positions in ("columns", "tokens")

    def with_dropout(self, rate: float | None) -> "EncoderConfig":
        """Sets every dropout rate.

        Args:
            rate: In [0, 1); None leaves the rates of the checkpoint.

        Returns:
            The configuration with that rate in residual stream, attention and heads.

        Raises:
            InputError: If the rate is not in this range.
        """
        return self if rate is None else dataclasses.replace(self, **dict.fromkeys(RATES, rate))


def _is_size(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _check(name: str, value: Any) -> None:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    is_number = is_integer or (isinstance(value, float) and math.isfinite(value))
    match name:
        case "family":
            valid, expected = isinstance(value, str), "a name"
        case (
            "position_offset" | "type_vocab_size" | "pad_token_id" | "relative_buckets" | "head_dim"
        ):
            valid, expected = is_integer and value >= 0, "an integer, 0 or more"
        case _ if name in CHOICES:
            valid, expected = value in CHOICES[name], f"one of {CHOICES[name]}"
        case "disentangled" | "convolution":
            return  # records that check themselves
        case "thetas" | "windows":
            valid = isinstance(value, tuple) and all(_is_size(entry) for entry in value)
            expected = "a tuple of numbers, 0 or more"
        case "layer_norm_eps" | "initializer_range" | "head_std":
            valid, expected = is_number and value > 0, "a number above 0"
        case (
            "biases"
            | "normalizes_embeddings"
            | "normalizes_queries"
            | "normalizes_outputs"
            | "scales_embeddings"
            | "has_pooler"
            | "uses_token_types"
            | "drops_attention_output"
            | "drops_output"
            | "projects_embeddings"
        ):
            valid, expected = isinstance(value, bool), "a bool"
        case _ if name in RATES:
            valid, expected = is_number and 0 <= value < 1, "a rate in [0, 1)"
        case _:
            valid, expected = is_integer and value > 0, "an integer above 0"
    if not valid:
        raise InputError(f"{name} is {value!r}; expected {expected}")
