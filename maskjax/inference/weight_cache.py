"""Where the weights of tasks are: merged or packed on the device, packed on the host, or on disk.

A task is packed on the device or in host memory, never in both. Each has a budget; the least
recently used make room. Merged copies have a budget of their own, for tasks that are used all the
time: they take as many bytes as the matrices that the task masks, and save the unmasking.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

import jax
import numpy as np

from maskjax.inference.compiled import CompiledModel, Leaves, full_bit_planes, unmask
from maskjax.inference.registry import PackedTask, tree_bytes
from maskjax.masking.distinct import distinct_leaves

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

PATIENCE = 4
"""Consecutive runs that a task must be part of before its weights are merged."""


class Budgets(NamedTuple):
    """Bytes of tasks that may be held."""

    device: int  # packed tasks on the device
    host: int  # packed tasks in host memory
    hot: int  # merged copies on the device


class LRUCache(Generic[Key, Value]):
    """Values of known sizes under a budget, ordered by use."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.size = 0
        self._items: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def values(self) -> list[Value]:
        """A list of the values; may be called from any thread."""
        return [value for value, _ in list(self._items.values())]

    def use(self, key: Key) -> Value | None:
        """The value under a key, which becomes the most recently used; None if there is none."""
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key][0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Adds a value under a new key, whatever the budget."""
        self._items[key] = (value, size)
        self.size += size

    def pop(self, key: Key) -> Value | None:
        """Removes and returns a value; None if there is none."""
        value, size = self._items.pop(key, (None, 0))
        self.size -= size
        return value

    def free_bytes(self, keep: Collection[Key]) -> int:
        """Bytes that are free if only these keys stay."""
        return self.budget - sum(size for key, (_, size) in self._items.items() if key in keep)

    def evict(self, keep: Collection[Key] = ()) -> Iterator[tuple[Key, Value]]:
        """Removes the least recently used, except those to keep, until the rest fits."""
        for key in [key for key in self._items if key not in keep]:
            if self.size <= self.budget:
                return
            value, _ = self._items[key]
            self.pop(key)
            yield key, value


class TaskWeights(NamedTuple):
    """A task on the device, as its programs take it."""

    leaves: Leaves  # all leaves of the model; unchanged ones are the base's own arrays
    bit_planes: Leaves  # masks of all maskable matrices; empty where the leaves are masked already
    packed: PackedTask  # the part that is not shared


class WeightCache(Generic[Key]):
    """Tasks by key, wherever they are. Not thread-safe: its owner holds a lock."""

    def __init__(
        self,
        base: Mapping[str, jax.Array],
        compiled: Callable[[Key], CompiledModel],
        read: Callable[[Key], PackedTask],
        budgets: Budgets,
    ) -> None:
        self._base = base
        self._compiled = compiled
        self._read = read
        self._device: LRUCache[Key, TaskWeights] = LRUCache(budgets.device)
        self._host: LRUCache[Key, PackedTask] = LRUCache(budgets.host)
        self._merged: LRUCache[Key, TaskWeights] = LRUCache(budgets.hot)
        self._streaks: dict[Key, int] = {}
        self._full: dict[tuple[int, ...], jax.Array] = {}

    def add(self, key: Key, task: PackedTask) -> None:
        """Adds a task: on the device if it fits there, else in host memory."""
        if self._device.size + task.nbytes <= self._device.budget:
            self._put_on_device(key, task)
        else:
            self._put_in_host(key, task)

    def drop(self, key: Key) -> None:
        """Removes a task."""
        for cache in (self._device, self._host, self._merged):
            cache.pop(key)
        self._streaks.pop(key, None)

    def begin(self, keys: Iterable[Key]) -> None:
        """Declares the tasks of the next run."""
        self._streaks = {key: self._streaks.get(key, 0) + 1 for key in keys}

    def fetch(self, key: Key) -> TaskWeights:
        """The weights of a task, brought to the device where they are not there yet."""
        merged = self._merged.use(key)
        if merged is not None:
            return merged
        weights = self._device.use(key)
        if weights is None:
            task = self._host.pop(key)
            weights = self._put_on_device(key, self._read(key) if task is None else task)
        if weights.bit_planes and self._streaks.get(key, 0) >= PATIENCE:
            return self._promote(key, weights)
        return weights

    def resident(self) -> dict[str, int]:
        """Bytes by place: "base", "packed" and "heads" on the device, "hot", "host"."""
        packed = [weights.packed for weights in self._device.values()]
        return {
            "base": tree_bytes(distinct_leaves([dict(self._base), dict(self._full)])),
            "packed": tree_bytes([task.bit_planes for task in packed]),
            "heads": tree_bytes([task.own for task in packed]),
            "hot": self._merged.size,
            "host": self._host.size,
        }

    def complete(self, compiled: CompiledModel, task: PackedTask) -> TaskWeights:
        """Completes a task with the arrays that it shares with the base."""
        leaves = {p: task.own[p] if p in task.own else self._base[p] for p in compiled.paths}
        if not task.bit_planes:
            return TaskWeights(leaves, {}, task)
        bit_planes = {
            path: task.bit_planes[path]
            if path in task.bit_planes
            else self._all_ones(leaves[path].shape)
            for path in compiled.maskable
        }
        return TaskWeights(leaves, bit_planes, task)

    def _all_ones(self, shape: tuple[int, ...]) -> jax.Array:
        if shape not in self._full:
            self._full[shape] = jax.device_put(full_bit_planes(shape))
        return self._full[shape]

    def _put_on_device(self, key: Key, task: PackedTask) -> TaskWeights:
        weights = self.complete(self._compiled(key), jax.device_put(task))
        self._device.put(key, weights, task.nbytes)
        for evicted, its_weights in self._device.evict(keep=(key,)):
            self._put_in_host(evicted, its_weights.packed)
        return weights

    def _put_in_host(self, key: Key, task: PackedTask) -> None:
        self._host.put(key, jax.tree.map(np.asarray, task), task.nbytes)
        for _ in self._host.evict():
            pass  # it is on disk

    def _promote(self, key: Key, weights: TaskWeights) -> TaskWeights:
        """Merges the masks of a task, unless tasks of this run would have to make room."""
        bit_planes = weights.packed.bit_planes
        size = tree_bytes([weights.leaves[path] for path in bit_planes])
        if size > self._merged.free_bytes(keep=self._streaks):
            return weights
        masked = {path: unmask(weights.leaves[path], bits) for path, bits in bit_planes.items()}
        merged = TaskWeights(weights.leaves | masked, {}, PackedTask({}, masked))
        self._merged.put(key, merged, size)
        for _ in self._merged.evict(keep=self._streaks):
            pass
        return merged
