"""Where tasks are: merged or packed on the device, packed in host memory, or only on disk.

A task is on the device or in host memory, never in both. Each place has a budget; what was used
least recently makes room. Merged copies come on top of that, for tasks that are asked for again
and again: they cost as much as the matrices that the task masks, and save the unmasking.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import numpy as np

from maskjax.inference.compiled import CompiledModel
from maskjax.inference.packed_task import Leaves, PackedTask
from maskjax.inference.unmasking import full_planes, unmask

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

PATIENCE = 4
"""Runs in a row that a task must be part of before its weights are merged."""


class LRUCache(Generic[Key, Value]):
    """Things of known sizes under a budget, ordered by use."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.size = 0
        self._held: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def values(self) -> list[Value]:
        """What is there now; may be asked for from any thread."""
        return [value for value, _ in list(self._held.values())]

    def use(self, key: Key) -> Value | None:
        """What is there under a key, which then is the last that was used."""
        if key not in self._held:
            return None
        self._held.move_to_end(key)
        return self._held[key][0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Adds something that is not there yet, whatever the budget."""
        self._held[key] = (value, size)
        self.size += size

    def pop(self, key: Key) -> Value | None:
        """Takes something out; None where it is not there."""
        value, size = self._held.pop(key, (None, 0))
        self.size -= size
        return value

    def room(self, keep: Collection[Key]) -> int:
        """Bytes that there are for more, with nothing but those to keep."""
        return self.budget - sum(size for key, (_, size) in self._held.items() if key in keep)

    def overflow(self, keep: Collection[Key] = ()) -> Iterator[tuple[Key, Value]]:
        """Takes out what was used least recently until the rest fits, but for what to keep."""
        for key in [key for key in self._held if key not in keep]:
            if self.size <= self.budget:
                return
            value, _ = self._held[key]
            self.pop(key)
            yield key, value


class Loaded(NamedTuple):
    """A task on the device, as its programs take it.

    Attributes:
        leaves: All leaves of the model by path; those that the task does not change are the base's
            own arrays.
        planes: Masks of all matrices that have any; empty where the leaves are masked already.
        packed: What of it is not shared.
    """

    leaves: Leaves
    planes: Leaves
    packed: PackedTask


class WeightCache(Generic[Key]):
    """Tasks by key, wherever they are. Not thread-safe: its owner holds a lock."""

    def __init__(
        self,
        base: Mapping[str, jax.Array],
        programs: Callable[[Key], CompiledModel],
        read: Callable[[Key], PackedTask],
        *,
        device_bytes: int,
        host_bytes: int,
        hot_bytes: int,
    ) -> None:
        self._base = base
        self._programs = programs
        self._read = read
        self._device: LRUCache[Key, Loaded] = LRUCache(device_bytes)
        self._host: LRUCache[Key, PackedTask] = LRUCache(host_bytes)
        self._hot: LRUCache[Key, Loaded] = LRUCache(hot_bytes)
        self._streaks: dict[Key, int] = {}
        self._full: dict[tuple[int, ...], jax.Array] = {}

    def add(self, key: Key, task: PackedTask) -> None:
        """Takes a task in: on the device if there is room for it, else in host memory."""
        if self._device.size + task.nbytes <= self._device.budget:
            self._put_on_device(key, task)
        else:
            self._put_in_host(key, task)

    def drop(self, key: Key) -> None:
        """Forgets a task."""
        for shelf in (self._device, self._host, self._hot):
            shelf.pop(key)
        self._streaks.pop(key, None)

    def begin(self, keys: Iterable[Key]) -> None:
        """Says which tasks the next run is about."""
        self._streaks = {key: self._streaks.get(key, 0) + 1 for key in keys}

    def fetch(self, key: Key) -> Loaded:
        """Brings a task to the device, or finds it there."""
        hot = self._hot.use(key)
        if hot is not None:
            return hot
        loaded = self._device.use(key)
        if loaded is None:
            task = self._host.pop(key)
            loaded = self._put_on_device(key, self._read(key) if task is None else task)
        if loaded.planes and self._streaks.get(key, 0) >= PATIENCE:
            return self._heat(key, loaded)
        return loaded

    def resident(self) -> dict[str, int]:
        """Bytes by place: "base", "packed" and "heads" on the device, "hot", "host"."""
        base = jax.tree.leaves([dict(self._base), dict(self._full)])
        packed = [loaded.packed for loaded in self._device.values()]
        return {
            "base": _nbytes(base),
            "packed": _nbytes([task.planes for task in packed]),
            "heads": _nbytes([task.own for task in packed]),
            "hot": self._hot.size,
            "host": self._host.size,
        }

    def load(self, programs: CompiledModel, task: PackedTask) -> Loaded:
        """Completes a task with what it shares with the base."""
        leaves = {
            path: task.own[path] if path in task.own else self._base[path]
            for path in programs.paths
        }
        if not task.planes:
            return Loaded(leaves, {}, task)
        planes = {
            path: task.planes[path] if path in task.planes else self._all_ones(leaves[path].shape)
            for path in programs.maskable
        }
        return Loaded(leaves, planes, task)

    def _all_ones(self, shape: tuple[int, ...]) -> jax.Array:
        if shape not in self._full:
            self._full[shape] = jax.device_put(full_planes(shape))
        return self._full[shape]

    def _put_on_device(self, key: Key, task: PackedTask) -> Loaded:
        loaded = self.load(self._programs(key), jax.device_put(task))
        self._device.put(key, loaded, task.nbytes)
        for old, other in self._device.overflow(keep=(key,)):
            self._put_in_host(old, other.packed)
        return loaded

    def _put_in_host(self, key: Key, task: PackedTask) -> None:
        self._host.put(key, jax.tree.map(np.asarray, task), task.nbytes)
        for _ in self._host.overflow():
            pass  # it is on disk

    def _heat(self, key: Key, loaded: Loaded) -> Loaded:
        """Merges a task, if that takes no room from one that this run is about."""
        own = loaded.packed.planes
        size = _nbytes([loaded.leaves[path] for path in own])
        if size > self._hot.room(keep=self._streaks):
            return loaded
        merged = {path: unmask(loaded.leaves[path], bits) for path, bits in own.items()}
        hot = Loaded(loaded.leaves | merged, {}, PackedTask({}, merged))
        self._hot.put(key, hot, size)
        for _ in self._hot.overflow(keep=self._streaks):
            pass
        return hot


def _nbytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
