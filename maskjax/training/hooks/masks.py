"""How far masks have changed: since the first step, and since the evaluation before."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from maskjax.masking.packed import Difference, pack_bits
from maskjax.models.model import Params
from maskjax.training.hooks.hook import Hook, Training

Bits = dict[str, jax.Array]
"""Masks at one bit per weight, `{path: uint8 [bytes]}`, with a leading axis of several seeds."""


class MaskHistory(NamedTuple):
    """Masks to compare with."""

    initial: Bits  # those before the first step
    previous: Bits  # those of the last evaluation, at first the initial ones


class CompareMasks(Hook):
    """Compares the masks of each evaluation with earlier ones, on the device."""

    state: MaskHistory

    def init(self, training: Training) -> MaskHistory:
        """The masks before the first step."""
        finalize = training.experiments[0].adaptation.finalize

        def pack(trainable: Any, params: Params) -> Bits:
            masks = finalize(trainable, params).masks
            return {path: pack_bits(mask) for path, mask in masks.items()}

        def compare(
            trainable: Any, params: Params, history: MaskHistory
        ) -> tuple[Bits, dict[str, Difference]]:
            masks = jax.eval_shape(finalize, trainable, params).masks
            total = sum(mask.size for mask in masks.values())
            bits = pack(trainable, params)
            earlier = history._asdict()
            return bits, {name: _difference(past, bits, total) for name, past in earlier.items()}

        self._compare = jax.jit(training.seeds.vmap(compare))
        bits = jax.jit(training.seeds.vmap(pack))(training.state.trainable, training.seeds.params)
        return MaskHistory(bits, bits)

    def __call__(self, training: Training) -> None:
        """Adds flips and overlap to the numbers of an evaluation."""
        if training.step not in training.eval_steps or not self.state.initial:
            return
        seeds = training.seeds
        bits, counts = self._compare(training.state.trainable, seeds.params, self.state)
        self.state = MaskHistory(self.state.initial, bits)
        counts = jax.device_get(counts)
        for seed in training.running_seeds():
            training.numbers[seed] |= _values(seeds.take(counts, seed))


def _difference(first: Bits, second: Bits, total: int) -> Any:
    """A `Difference` of int32 scalars; a model has fewer than 2³¹ weights."""
    differing = sum(_ones(first[path] ^ second[path]) for path in second)
    kept = [sum(_ones(bits) for bits in masks.values()) for masks in (first, second)]
    return Difference(*(jnp.int32(count) for count in (differing, *kept, total)))  # pyright: ignore[reportArgumentType]


def _ones(bits: jax.Array) -> jax.Array:
    return jax.lax.population_count(bits).sum(dtype=jnp.int32)


def _values(differences: dict[str, Difference]) -> dict[str, float]:
    whole = {name: Difference(*map(int, counts)) for name, counts in differences.items()}
    flips = {f"mask_flips_{name}": change.flip_ratio for name, change in whole.items()}
    return flips | {f"mask_iou_{name}": change.iou for name, change in whole.items()}
