"""Runs sequences of many tasks: groups in turn, or several at once where memory is free."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from typing import NamedTuple

import jax
import numpy as np

from maskjax.inference.batching import Group, Tokens, collate, plan_groups
from maskjax.inference.compiled import CompiledModel, make_features, stack
from maskjax.inference.packed_task import Leaves, PackedTask
from maskjax.inference.registry import RegisteredTask
from maskjax.inference.unmasking import full_planes, unmask
from maskjax.inference.weight_cache import Loaded, WeightCache
from maskjax.inference.window import in_order
from maskjax.masking import flatten_with_paths
from maskjax.models import EncoderConfig

Inputs = dict[str, np.ndarray]
Outputs = list[list[np.ndarray]]
Computation = Callable[[], list[np.ndarray]]


class Work(NamedTuple):
    """What a sequence is run for.

    Attributes:
        task: The task; None for the base.
        vector: Whether vectors are asked for instead of logits; the base has nothing else.
    """

    task: RegisteredTask | None
    vector: bool


class Executor:
    """A base on the device, and the tasks that run on it. Not thread-safe.

    Attributes:
        residency: Where the tasks are.
    """

    def __init__(
        self,
        config: EncoderConfig,
        leaves: Leaves,
        read: Callable[[RegisteredTask], PackedTask],
        *,
        dtype: str,
        device_bytes: int,
        host_bytes: int,
        hot_bytes: int,
        buckets: Sequence[int],
        rows: tuple[int, ...],
        together: int,
        workers: int,
        kernel: bool = False,
    ) -> None:
        most = config.max_positions
        self._buckets = (*(length for length in buckets if length < most), most)
        self._rows = rows
        self._together = together
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, "maskjax-groups")
        self._pad_id = config.pad_token_id
        self._leaves = leaves
        self._features = make_features(config, dtype, kernel=kernel)
        self.residency: WeightCache[RegisteredTask] = WeightCache(
            leaves,
            lambda one: one.programs,
            read,
            device_bytes=device_bytes,
            host_bytes=host_bytes,
            hot_bytes=hot_bytes,
        )

    def run(self, work: Sequence[Work], rows: Sequence[tuple[Tokens, ...]]) -> Outputs:
        """Runs rows, in any order of tasks and lengths."""
        places = [(row, place) for row, each in enumerate(rows) for place in range(len(each))]
        sequences = [one for each in rows for one in each]
        keys = [work[row] for row, _ in places]
        lengths = [len(one.input_ids) for one in sequences]
        groups = plan_groups(keys, lengths, buckets=self._buckets, rows=self._rows)
        self.residency.begin({one.task for one in work if one.task is not None})
        outputs: Outputs = [[np.zeros(0)] * len(each) for each in rows]
        batches = list(self._batches(groups))
        calls = (self._call(batch, sequences) for batch in batches)
        found_in_order = in_order(calls, self._pool, min(self._workers, len(batches)))
        for batch, computed in zip(batches, found_in_order, strict=True):
            for group, found in zip(batch, computed, strict=True):
                for number, output in zip(group.members, found, strict=False):
                    row, place = places[number]
                    outputs[row][place] = output
        return outputs

    def warm_up(self, tasks: Sequence[RegisteredTask], *, base: bool) -> int:
        """Runs every shape of every program once."""
        longest: dict[CompiledModel | None, int] = {}
        for one in tasks:
            longest[one.programs] = max(longest.get(one.programs, 0), one.asked.max_length)
        if base:
            longest[None] = self._buckets[-1]
        count = 0
        for programs, length in longest.items():
            last = int(np.searchsorted(self._buckets, length))
            for bucket in self._buckets[: last + 1]:
                for rows in self._rows:
                    inputs = collate(Group(None, bucket, rows, (0,)), [_BLANK], self._pad_id)
                    count += self._warm(programs, inputs)
        return count

    def _batches(self, groups: Sequence[Group]) -> Iterator[list[Group]]:
        """Groups of one shape and program, as many as run at once; else those of a task in turn."""
        if self._together == 1:
            yield from ([group] for group in groups)
            return

        def shape(group: Group) -> tuple[int, int, int]:
            return group.length, group.rows, 0 if group.key.vector else id(group.key.task.programs)

        for _, same in groupby(sorted(groups, key=shape), key=shape):
            alike = list(same)
            for start in range(0, len(alike), self._together):
                yield alike[start : start + self._together]

    def _call(self, groups: list[Group], sequences: Sequence[Tokens]) -> Computation:
        """What computes the outputs of each group, its tasks brought to the device."""
        inputs = [collate(group, sequences, self._pad_id) for group in groups]
        loaded = [self._fetch(group.key.task) for group in groups]
        if groups[0].key.vector:
            return partial(self._vectors, loaded, inputs)
        return partial(self._compute, groups[0].key.task.programs, loaded, inputs)

    def _fetch(self, task: RegisteredTask | None) -> Loaded:
        if task is None:
            return Loaded(self._leaves, {}, PackedTask({}, {}))
        return self.residency.fetch(task)

    def _vectors(self, loaded: list[Loaded], inputs: list[Inputs]) -> list[np.ndarray]:
        return [
            np.asarray(self._features(one.leaves, one.planes, each))
            for one, each in zip(loaded, inputs, strict=True)
        ]

    def _compute(
        self, programs: CompiledModel, loaded: list[Loaded], inputs: list[Inputs]
    ) -> list[np.ndarray]:
        """The outputs of each group. One after the other where its weights are merged already."""
        at_once = [n for n, one in enumerate(loaded) if one.planes and _only_head(one, programs)]
        if len(at_once) < 2:
            return [_alone(programs, *pair) for pair in zip(loaded, inputs, strict=True)]
        found = self._vmapped(programs, [loaded[n] for n in at_once], [inputs[n] for n in at_once])
        outputs = dict(zip(at_once, found, strict=True))
        return [
            outputs[n] if n in outputs else _alone(programs, loaded[n], inputs[n])
            for n in range(len(loaded))
        ]

    def _vmapped(
        self, programs: CompiledModel, loaded: list[Loaded], inputs: list[Inputs]
    ) -> list[np.ndarray]:
        """Runs groups at once; their number is filled up to a power of two."""
        count = 1 << (len(loaded) - 1).bit_length()
        numbers = np.resize(np.arange(len(loaded)), count)
        heads = [{path: one.leaves[path] for path in programs.head} for one in loaded]
        trees = [(heads[n], loaded[n].planes, inputs[n]) for n in numbers]
        shared = {path: self._leaves[path] for path in programs.paths if path in self._leaves}
        return list(np.asarray(programs.together(shared, *stack(*trees))))[: len(loaded)]

    def _warm(self, programs: CompiledModel | None, inputs: Inputs) -> int:
        if programs is None:
            self._features(self._leaves, {}, inputs)
            return 1
        bare = self._blank(programs)
        full = self.residency.load(programs, bare)
        programs.dense(full.leaves, inputs)
        path = programs.maskable[0]
        masked = self.residency.load(programs, bare._replace(planes={path: _ones(full, path)}))
        count = 1 << (self._together - 1).bit_length()
        while count > 1:
            self._vmapped(programs, [masked] * count, [inputs] * count)
            count //= 2
        programs.masked(masked.leaves, masked.planes, inputs)
        for path in programs.maskable:
            unmask(masked.leaves[path], masked.planes[path])
        return 2 + (self._together - 1).bit_length()

    def _blank(self, programs: CompiledModel) -> PackedTask:
        shapes = flatten_with_paths(programs.model.abstract)
        head = {path: np.zeros(shapes[path].shape, np.float32) for path in programs.head}
        return PackedTask({}, jax.device_put(head))


_BLANK = Tokens(np.zeros(1, np.int32), np.zeros(1, np.int32))


def _ones(loaded: Loaded, path: str) -> jax.Array:
    return jax.device_put(full_planes(loaded.leaves[path].shape))


def _only_head(loaded: Loaded, programs: CompiledModel) -> bool:
    return loaded.packed.own.keys() <= set(programs.head)


def _alone(programs: CompiledModel, loaded: Loaded, inputs: Inputs) -> np.ndarray:
    # As an array of NumPy, which waits: programs that wait for each other would all hold weights.
    if loaded.planes:
        return np.asarray(programs.masked(loaded.leaves, loaded.planes, inputs))
    return np.asarray(programs.dense(loaded.leaves, inputs))
