"""How far masks have come: at each evaluation against the first ones and those of the last look."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from maskjax.adaptation import Adaptation
from maskjax.masking.packed import Difference, pack_bits
from maskjax.models.model import Params
from maskjax.training.seeds import LaneParams, Lanes

Bits = dict[str, jax.Array]
"""Masks at one bit per weight, `{path: uint8 [bytes]}`, with a leading axis of several runs."""


class MaskHistory(NamedTuple):
    """Masks to compare with.

    Attributes:
        initial: Those before the first step.
        previous: Those of the last look, at first the initial ones.
    """

    initial: Bits
    previous: Bits


class MaskChanges:
    """Compares masks with earlier ones, on the device and at one bit per weight."""

    def __init__(self, adaptation: Adaptation, lanes: Lanes) -> None:
        self._adaptation = adaptation
        self._lanes = lanes
        self._pack = jax.jit(lanes.over(self._bits))
        self._compare: Callable[..., Any] = jax.jit(lanes.over(self._counts))

    def start(self, trainable: Any, params: Params | LaneParams) -> MaskHistory:
        """The history before the first step."""
        bits = self._pack(trainable, params)
        return MaskHistory(bits, bits)

    def look(
        self, trainable: Any, params: Params | LaneParams, history: MaskHistory
    ) -> tuple[MaskHistory, list[dict[str, float]]]:
        """Compares the masks of now."""
        if not history.initial:
            return history, [{} for _ in range(self._lanes.count)]
        bits, counts = self._compare(trainable, params, history)
        values = [_values(some) for some in self._lanes.split(jax.device_get(counts))]
        return MaskHistory(history.initial, bits), values

    def _bits(self, trainable: Any, params: Params) -> Bits:
        masks = self._adaptation.finalize(trainable, params).masks
        return _packed(masks)

    def _counts(
        self, trainable: Any, params: Params, history: MaskHistory
    ) -> tuple[Bits, dict[str, Difference]]:
        masks = self._adaptation.finalize(trainable, params).masks
        total = sum(mask.size for mask in masks.values())
        bits = _packed(masks)
        earlier = history._asdict()
        return bits, {name: _difference(past, bits, total) for name, past in earlier.items()}


def _packed(masks: dict[str, jax.Array]) -> Bits:
    return {path: pack_bits(mask) for path, mask in masks.items()}


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
