"""What a task adds to its base: operations on leaves, each of a type of its own.

A new kind of operation is one class here and its tensors in `maskjax.taskfile.entries`; code that
applies, counts or moves deltas does not change.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.leaves import as_weight
from maskjax.masking.packed import PackedMask

Params = Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Weight:
    """A leaf that takes the place of the base's, in the dtype of the base's.

    Attributes:
        value: A floating array of the shape of the leaf.

    Example:
        >>> Weight(jnp.array([3.0])).apply(jnp.array([1.0], jnp.bfloat16)).dtype
        dtype(bfloat16)
    """

    value: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the leaf that it is for."""
        return tuple(self.value.shape)

    def apply(self, leaf: Any) -> Any:
        """The value, in the dtype of a leaf."""
        return cast(self.value, leaf.dtype)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class LowRank:
    """The product A B, which is added to a matrix; the sum is rounded once.

    Attributes:
        a: A, `[in, rank]`.
        b: B, `[rank, out]`.

    Example:
        >>> LowRank(jnp.array([[1.0]]), jnp.array([[2.0, 3.0]])).apply(jnp.ones((1, 2))).tolist()
        [[3.0, 4.0]]
    """

    a: Any
    b: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the leaf that it is for."""
        return (*self.a.shape[:1], *self.b.shape[1:])

    def apply(self, leaf: Any) -> Any:
        """The sum, in the dtype of a leaf, multiplied by JAX as in training."""
        exact = at_least_float32(leaf.dtype)
        update = jnp.matmul(cast(self.a, exact), cast(self.b, exact))
        return cast(cast(leaf, exact) + update, leaf.dtype)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Mask:
    """A binary mask over a leaf: 1 keeps a weight and 0 drops it.

    Attributes:
        keep: A bool array of the shape of the leaf, or a `PackedMask`.

    Example:
        >>> Mask(jnp.array([True, False])).apply(jnp.array([3.0, 4.0])).tolist()
        [3.0, 0.0]
    """

    keep: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the leaf that it is for."""
        return tuple(self.keep.shape)

    def apply(self, leaf: Any) -> Any:
        """The leaf with zeros where it is dropped."""
        keep = self.keep.unpack() if isinstance(self.keep, PackedMask) else self.keep
        return leaf * keep.astype(leaf.dtype)


Operation = Weight | LowRank | Mask
ORDER: tuple[type, ...] = (Weight, LowRank, Mask)
"""The order in which the operations on one leaf are applied."""
ON_BASE = (LowRank, Mask)
"""Operations whose result depends on the weights of the base."""
SomeOperation = TypeVar("SomeOperation", bound=Operation)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Delta:
    """What a task adds to its base; a pytree.

    Attributes:
        operations: By path, the operations on a leaf in the order of `ORDER`, one of each type at
            most.

    Example:
        >>> delta = Delta.of(weights={"kernel": jnp.array([3.0, 4.0])})
        >>> delta |= Delta.of(masks={"kernel": jnp.array([True, False])})
        >>> delta.apply({"kernel": jnp.zeros(2)})["kernel"].tolist()
        [3.0, 0.0]
    """

    operations: dict[str, tuple[Operation, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        weights: Mapping[str, Any] | None = None,
        low_rank: Mapping[str, tuple[Any, Any]] | None = None,
        masks: Mapping[str, Any] | None = None,
    ) -> "Delta":
        """Makes a delta of arrays by path.

        Args:
            weights: Floating arrays that replace leaves.
            low_rank: Factors `[in, rank]` and `[rank, out]` whose product is added.
            masks: Bool arrays or `PackedMask` objects.

        Returns:
            The delta.
        """
        delta = cls({path: (Weight(value),) for path, value in (weights or {}).items()})
        delta |= cls({path: (LowRank(*pair),) for path, pair in (low_rank or {}).items()})
        return delta | cls({path: (Mask(keep),) for path, keep in (masks or {}).items()})

    def __or__(self, other: "Delta") -> "Delta":
        """Both, by sorted path; of two operations of one type on one leaf, that of `other`."""
        joined = dict(self.operations)
        for path, added in other.operations.items():
            by_type = {type(operation): operation for operation in (*joined.get(path, ()), *added)}
            joined[path] = tuple(by_type[kind] for kind in ORDER if kind in by_type)
        return Delta(dict(sorted(joined.items())))

    def apply(self, params: Params) -> Params:
        """Adapts params.

        Args:
            params: The base's params, with a head of any values.

        Returns:
            Params of the same structure and dtypes.

        Raises:
            ValueError: If a path is not in `params`, or names a leaf that is not floating.
        """
        leaves = flatten_with_paths(params)
        if unknown := sorted(self.operations.keys() - leaves.keys()):
            raise ValueError(
                f"Expected paths of the params, got {unknown[:5]}; the params have "
                f"{list(leaves)[:5]}..."
            )
        return update_leaves(
            params,
            {path: self.apply_to(path, as_weight(path, leaves[path])) for path in self.operations},
        )

    def apply_to(self, path: str, leaf: Any) -> Any:
        """Adapts one leaf."""
        for operation in self.operations.get(path, ()):
            leaf = operation.apply(leaf)
        return leaf

    def of_type(self, kind: type[SomeOperation]) -> dict[str, SomeOperation]:
        """The operations of one type, by path."""
        return {
            path: operation
            for path, operations in self.operations.items()
            for operation in operations
            if isinstance(operation, kind)
        }

    def without(self, kind: type, paths: Callable[[str], bool] = lambda path: True) -> "Delta":
        """All but the operations of one type, on the paths that a function selects."""
        return self.keep(lambda path, operation: not (isinstance(operation, kind) and paths(path)))

    def keep(self, select: Callable[[str, Operation], bool]) -> "Delta":
        """The operations that a function of path and operation selects."""
        chosen = {
            path: tuple(operation for operation in operations if select(path, operation))
            for path, operations in self.operations.items()
        }
        return Delta({path: operations for path, operations in chosen.items() if operations})

    @property
    def weights(self) -> dict[str, Any]:
        """The arrays that replace leaves, by path."""
        return {path: operation.value for path, operation in self.of_type(Weight).items()}

    @property
    def masks(self) -> dict[str, Any]:
        """The masks by path, as they are held."""
        return {path: operation.keep for path, operation in self.of_type(Mask).items()}

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Path and shape of the leaf of each operation."""
        for path, several in self.operations.items():
            yield from ((path, operation.shape) for operation in several)


def at_least_float32(dtype: Any) -> Any:
    """The dtype to compute in for weights of a floating dtype."""
    return dtype if jnp.finfo(dtype).bits > 32 else jnp.dtype(jnp.float32)


def cast(array: Any, dtype: Any) -> Any:
    """The array in a dtype, itself if it has it."""
    return array if array.dtype == dtype else array.astype(dtype)
