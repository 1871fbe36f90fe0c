"""Where arrays are placed: scores with their weights, and what needs a whole array on one device.

On a mesh with explicit axes the sharding of an array belongs to its type, and operations that
could not keep it raise an error: reshaping and sorting need the whole array first. With automatic
axes, or on one device, the compiler does that, and the functions here return what they are given.
"""

from typing import Any, TypeVar

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import AxisType, NamedSharding, PartitionSpec

Array = TypeVar("Array", np.ndarray, jax.Array)


def gather(array: Array, axis: int | None = None) -> Array:
    """The array in whole on each device of its explicit mesh; or whole along one axis only."""
    sharding = _explicit_sharding(array)
    if sharding is None or isinstance(array, np.ndarray):
        return array
    spec = [None] * array.ndim
    if axis is not None:
        spec = list(sharding.spec)
        spec[axis] = None
    return jax.sharding.reshard(array, NamedSharding(sharding.mesh, PartitionSpec(*spec)))


def place_like(array: jax.Array, like: Any) -> jax.Array:
    """The array on the devices of another one: divided alike if their shapes are equal."""
    if isinstance(array, Tracer) or isinstance(like, Tracer):
        explicit = _explicit_sharding(like)
        return (
            array if explicit is None else jax.sharding.reshard(array, _fit(explicit, array, like))
        )
    if not isinstance(like, jax.Array):
        return array
    sharding = _fit(like.sharding, array, like)
    return array if array.sharding == sharding else jax.device_put(array, sharding)


def _fit(sharding: Any, array: jax.Array, like: jax.Array) -> Any:
    """The sharding of `like` for an array that may have another shape."""
    if array.shape == like.shape or not isinstance(sharding, NamedSharding):
        return sharding
    return NamedSharding(sharding.mesh, PartitionSpec())


def _explicit_sharding(array: Any) -> NamedSharding | None:
    if not isinstance(array, jax.Array):
        return None
    sharding = jax.typeof(array).sharding
    return sharding if AxisType.Explicit in sharding.mesh.axis_types else None
