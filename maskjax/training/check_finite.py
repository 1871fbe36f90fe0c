"""A debug switch: a step whose loss or trainable is not finite is an error that names the leaf."""

import logging
import re
from collections.abc import Callable
from typing import Any

import jax

from maskjax.errors import NotFiniteError
from maskjax.masking import flatten_with_paths

Step = Callable[..., tuple[Any, dict[str, jax.Array]]]
"""`(state, params, batch) -> (state, metrics)`."""
WARNED = "chexify assertion statuses"
"""Words of what chex logs at exit for every program that it wrapped, checked or not."""


def check_finite(step: Step) -> Step:
    """Wraps a training step so that it waits for its result and checks it, with chex."""
    import chex  # only this switch needs it

    def step_and_check(*arguments: Any) -> tuple[Any, dict[str, jax.Array]]:
        state, metrics = step(*arguments)
        checked = flatten_with_paths(state.trainable) | {"loss": metrics["loss"]}
        for path, leaf in checked.items():
            chex.assert_tree_all_finite(leaf, custom_message=path)
        return state, metrics

    wrapped = chex.chexify(jax.jit(step_and_check, donate_argnums=0), async_check=False)
    logging.getLogger("absl").addFilter(lambda record: WARNED not in record.getMessage())

    def call(state: Any, *rest: Any) -> tuple[Any, dict[str, jax.Array]]:
        number = int(state.step.max()) + 1  # read now, since the step reuses the state's memory
        try:
            return wrapped(state, *rest)
        except AssertionError as error:
            raise NotFiniteError(
                f"step {number}: {_leaf(str(error))} is not finite; lower "
                "--optimizer.learning-rate, or set --optimizer.clip."
            ) from error

    return call


def _leaf(message: str) -> str:
    """The path within the message of a failed assertion of chex."""
    match = re.search(r"Custom message: (\S+)\. ", message)
    return match[1] if match else message
