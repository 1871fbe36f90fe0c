"""A shared block with paths for each of its applications, so that each gets a mask."""

import dataclasses

import jax

from maskjax.errors import InputError
from maskjax.models.base import Base


def unshare(base: Base) -> Base:
    """Gives each application of a shared block paths of its own.

    The leaves of `encoder/layer/0`, `encoder/layer/1` and so on are the very same arrays, so that
    memory holds the block once. What is learned by path, such as a mask, is learned for each
    application: at one bit per weight, the block computes something else each time.

    Args:
        base: A pretrained encoder whose blocks are one, such as ALBERT.

    Returns:
        The base with these paths.

    Raises:
        InputError: If its blocks are not one.

    Example:
        >>> from pathlib import Path
        >>> from maskjax.models import build_model, read_config
        >>> tiny = {"model_type": "albert", "vocab_size": 9, "hidden_size": 4}
        >>> tiny |= {"num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 8}
        >>> config = read_config(tiny | {"max_position_embeddings": 16}, "example")
        >>> abstract = build_model(config, num_outputs=1).abstract
        >>> params = jax.tree.map(lambda leaf: jax.numpy.zeros(leaf.shape), abstract)
        >>> albert = unshare(Base(config, params, "albert", None, Path()))
        >>> first, second, third = albert.params["encoder"]["layer"].values()
        >>> first["output"]["dense"]["kernel"] is third["output"]["dense"]["kernel"]
        True
    """
    config = base.config
    if config.sharing != "shared":
        raise InputError(
            f"model.unshare: {base.name} has no shared block, for {config.family} has a block for "
            "each layer; leave it out."
        )
    block = base.params["encoder"]["layer"]["0"]
    layer = {str(number): jax.tree.map(_same, block) for number in range(config.num_layers)}
    params = base.params | {"encoder": base.params["encoder"] | {"layer": layer}}
    return base._replace(config=dataclasses.replace(config, sharing="unshared"), params=params)


def _same(leaf: jax.Array) -> jax.Array:
    return leaf
