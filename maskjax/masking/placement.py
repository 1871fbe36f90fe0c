"""Placement of arrays on devices.

On a mesh with explicit axes the sharding of an array is part of its type, and operations that
cannot preserve it, such as reshaping and sorting, raise an error unless the array is gathered
first. With automatic axes, or on one device, the compiler does that, and the functions here return
their argument.
"""

from typing import Any, TypeVar

import jax
import numpy as np
from jax.core import Tracer
from jax.sharding import AxisType, NamedSharding, PartitionSpec

Array = TypeVar("Array", np.ndarray, jax.Array)


def gather(array: Array, axis: int | None = None) -> Array:
    """Replicates an array over its explicit mesh, in all axes or along one."""
    sharding = _explicit_sharding(array)
    if sharding is None or isinstance(array, np.ndarray):
        return array
    spec = [None] * array.ndim
    if axis is not None:
        spec = list(sharding.spec)
        spec[axis] = None
    return jax.sharding.reshard(array, NamedSharding(sharding.mesh, PartitionSpec(*spec)))


def place_like(array: jax.Array, reference: Any) -> jax.Array:
    """Places an array on the devices of another one, with its sharding if the shapes are equal."""
    if isinstance(array, Tracer) or isinstance(reference, Tracer):
        explicit = _explicit_sharding(reference)
        return (
            array
            if explicit is None
            else jax.sharding.reshard(array, _fit(explicit, array, reference))
        )
    if not isinstance(reference, jax.Array):
        return array
    sharding = _fit(reference.sharding, array, reference)
    return array if array.sharding == sharding else jax.device_put(array, sharding)


def _fit(sharding: Any, array: jax.Array, reference: jax.Array) -> Any:
    """The sharding of a reference, adapted to an array that may have another shape."""
    if array.shape == reference.shape or not isinstance(sharding, NamedSharding):
        return sharding
    return NamedSharding(sharding.mesh, PartitionSpec())


def _explicit_sharding(array: Any) -> NamedSharding | None:
    if not isinstance(array, jax.Array):
        return None
    sharding = jax.typeof(array).sharding
    return sharding if AxisType.Explicit in sharding.mesh.axis_types else None
