"""The convolution that DeBERTa-v2 adds after its first block (arXiv 2006.03654, appendix)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from maskjax.models.config import Convolution, EncoderConfig
from maskjax.models.layers import ACTIVATIONS, LayerNorm, dropout

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int, PRNGKeyArray


class Neighbors(nnx.Module):
    """A dense layer over each token and those next to it.

    Attributes:
        kernel: [width, hidden / groups, hidden].
        bias: [hidden].
    """

    def __init__(self, config: Convolution, size: int, dtype: DTypeLike) -> None:
        shape = (config.width, size // config.groups, size)
        self.kernel = nnx.Param(jnp.zeros(shape, jnp.float32))
        self.bias = nnx.Param(jnp.zeros((size,), jnp.float32))
        self.groups = config.groups
        self.dtype = dtype

    def __call__(self, x: Float[Array, "batch seq hidden"]) -> Float[Array, "batch seq hidden"]:
        """Returns the sum in `dtype`; beyond the ends of a sequence are zeros."""
        product = jax.lax.conv_general_dilated(
            x.astype(self.dtype),
            self.kernel[...].astype(self.dtype),
            window_strides=(1,),
            padding="SAME",
            dimension_numbers=("NWC", "WIO", "NWC"),
            feature_group_count=self.groups,
        )
        return product + self.bias[...].astype(self.dtype)[None, None, :]


class ConvolutionLayer(nnx.Module):
    """Convolution, dropout, activation, addition to the first block's output, norm."""

    def __init__(self, convolution: Convolution, config: EncoderConfig, dtype: DTypeLike) -> None:
        self.conv = Neighbors(convolution, config.hidden_size, dtype)
        self.LayerNorm = LayerNorm(config.hidden_size, config.layer_norm_eps, dtype)
        self.activation = ACTIVATIONS[convolution.activation]
        self.rate = config.hidden_dropout

    def __call__(
        self,
        x: Float[Array, "tokens hidden"],
        above: Float[Array, "tokens hidden"],
        mask: Int[Array, "batch seq"],
        key: PRNGKeyArray | None,
    ) -> Float[Array, "tokens hidden"]:
        """Maps what goes into the first block and what comes out; padding becomes zero."""
        neighbors = self.conv(x.reshape(*mask.shape, -1)).reshape(x.shape)
        neighbors = self.activation(dropout(neighbors, self.rate, key))
        is_token = (mask != 0).reshape(-1, 1)
        return jnp.where(is_token, self.LayerNorm(above + neighbors), 0)
