"""The vectors of the first token, [CLS] or <s>, that an adapted encoder gives its texts."""

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.errors import InputError
from maskjax.inference.forward import predict_logits
from maskjax.inference.saved_run import TaskPredictor
from maskjax.models.encoder import Inputs
from maskjax.models.model import Params
from maskjax.tasks import Encoded


def cls_vectors(predictor: TaskPredictor, encoded: Encoded, layer: int | None = None) -> np.ndarray:
    """The hidden states of the first tokens.

    Args:
        predictor: A saved run on its base.
        encoded: Tokenized rows; labels are not used.
        layer: The number of blocks below: 0 for the embeddings; None for the last block.

    Returns:
        `[rows, hidden]` float32, in the order of the rows.

    Raises:
        InputError: If the encoder has no such layer.
    """
    last = predictor.base.config.num_layers
    if layer is None:
        layer = last
    if not 0 <= layer <= last:
        raise InputError(f"--layer: expected 0 to {last}, got {layer}.")

    def first_tokens(params: Params, inputs: Inputs) -> jax.Array:
        states = predictor.model.hidden_states(params, inputs)
        return states[layer][:, 0].astype(jnp.float32)

    return predict_logits(
        jax.jit(first_tokens),
        predictor.params,
        encoded,
        batch_size=predictor.config.train.batch_size,
        buckets=predictor.config.train.buckets,
        pad_id=predictor.base.config.pad_token_id,
    )
