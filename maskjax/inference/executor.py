"""Runs sequences of many tasks: groups in turn, or several at a time where memory is free."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import groupby, islice
from typing import NamedTuple, TypeVar

import jax
import numpy as np

from maskjax.inference.batching import Group, bucket_length, collate, plan_groups, rows_of
from maskjax.inference.compiled import (
    CompiledModel,
    Forward,
    Leaves,
    compile_features,
    full_bit_planes,
    stack,
    unmask,
)
from maskjax.inference.preprocess import Tokens
from maskjax.inference.registry import PackedTask, RegisteredTask
from maskjax.inference.weight_cache import Budgets, TaskWeights, WeightCache
from maskjax.masking import flatten_with_paths
from maskjax.models import EncoderConfig

Inputs = dict[str, np.ndarray]
Outputs = list[np.ndarray]
"""An array for each row of a group, or for each sequence of a row."""
Result = TypeVar("Result")


class Target(NamedTuple):
    """What a row is run for."""

    task: RegisteredTask | None  # None for the base
    vector: bool  # whether vectors are computed instead of logits; the base has vectors only


class Executor:
    """A base on the device, and the tasks that run on it. Not thread-safe."""

    def __init__(
        self,
        config: EncoderConfig,
        leaves: Leaves,
        read: Callable[[RegisteredTask], PackedTask],
        *,
        dtype: str,
        budgets: Budgets,
        buckets: Sequence[int],
        rows: tuple[int, ...],
        together: int,
        workers: int,
        kernel: bool = False,
    ) -> None:
        self._buckets = buckets
        self._rows = rows
        self._together = together
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers, "maskjax-groups")
        self._pad_id = config.pad_token_id
        self._leaves = leaves
        self._features = partial(compile_features, dtype=dtype, kernel=kernel)
        self._config = config
        self.cache: WeightCache[RegisteredTask] = WeightCache(
            leaves, lambda task: task.compiled, read, budgets
        )

    def run(self, rows: Sequence[tuple[Target, tuple[Tokens, ...]]]) -> list[Outputs]:
        """Runs the sequences of rows, in any order of tasks and lengths."""
        sequences = [sequence for _, sequences in rows for sequence in sequences]
        targets = [target for target, sequences in rows for _ in sequences]
        lengths = [len(sequence.input_ids) for sequence in sequences]
        groups = plan_groups(targets, lengths, buckets=self._buckets, rows=self._rows)
        self.cache.begin({target.task for target in targets if target.task is not None})
        batches = list(self._batches(groups))
        calls = (self._call(batch, sequences) for batch in batches)
        results = in_order(calls, self._pool, min(self._workers, len(batches)))
        outputs: Outputs = [np.zeros(0)] * len(sequences)
        for batch, batch_outputs in zip(batches, results, strict=True):
            for group, group_outputs in zip(batch, batch_outputs, strict=True):
                for number, output in zip(group.members, group_outputs, strict=False):
                    outputs[number] = output
        in_rows = iter(outputs)
        return [list(islice(in_rows, len(sequences))) for _, sequences in rows]

    def warm_up(self, tasks: Sequence[RegisteredTask], *, base: bool) -> int:
        """Runs every shape of every program once; returns the number of programs."""
        longest: dict[CompiledModel | None, int] = {}
        for task in tasks:
            longest[task.compiled] = max(longest.get(task.compiled, 0), task.spec.max_length)
        if base:
            longest[None] = self._buckets[-1]
        blank = [Tokens(np.zeros(1, np.int32), np.zeros(1, np.int32))]
        count = 0
        for compiled, length in longest.items():
            last = self._buckets.index(bucket_length(length, self._buckets))
            for bucket in self._buckets[: last + 1]:
                for rows in rows_of(bucket, self._rows):
                    group = Group(None, bucket, rows, (0,))
                    count += self._warm(compiled, collate(group, blank, self._pad_id))
        return count

    def _batches(self, groups: Sequence[Group]) -> Iterator[list[Group]]:
        """Groups of one shape and program that run at the same time; on CPU one after the other."""
        if self._together == 1:
            yield from ([group] for group in groups)
            return

        def shape(group: Group) -> tuple[int, int, int]:
            return group.length, group.rows, id(self._forward(group.key))

        for _, same in groupby(sorted(groups, key=shape), key=shape):
            alike = list(same)
            for start in range(0, len(alike), self._together):
                yield alike[start : start + self._together]

    def _call(self, groups: list[Group], sequences: Sequence[Tokens]) -> Callable[[], list]:
        """A call that computes the outputs of each group, whose tasks are on the device by then."""
        inputs = [collate(group, sequences, self._pad_id) for group in groups]
        weights = [self._fetch(group.key.task) for group in groups]
        target: Target = groups[0].key
        compiled = None if target.vector else _compiled(target)
        return partial(self._compute, compiled, self._forward(target), weights, inputs)

    def _forward(self, target: Target) -> Forward:
        """The program of a target."""
        if target.task is None:
            return self._features(self._config)
        compiled = _compiled(target)
        return self._features(compiled.model.config) if target.vector else compiled.forward

    def _fetch(self, task: RegisteredTask | None) -> TaskWeights:
        if task is None:
            return TaskWeights(self._leaves, {}, PackedTask({}, {}))
        return self.cache.fetch(task)

    def _compute(
        self,
        compiled: CompiledModel | None,
        forward: Forward,
        weights: list[TaskWeights],
        inputs: list[Inputs],
    ) -> Outputs:
        """The outputs of groups; those with masks over shared weights may run at the same time."""
        batched = _shares_base(compiled, weights) if compiled else []
        outputs = {}
        if compiled and len(batched) > 1:
            together = [weights[n] for n in batched], [inputs[n] for n in batched]
            outputs = dict(zip(batched, self._vmapped(compiled, *together), strict=True))
        # As arrays of NumPy, which wait: programs that wait for each other would all hold weights.
        return [
            outputs[n]
            if n in outputs
            else np.asarray(forward(task.leaves, task.bit_planes, group_inputs))
            for n, (task, group_inputs) in enumerate(zip(weights, inputs, strict=True))
        ]

    def _vmapped(
        self, compiled: CompiledModel, weights: list[TaskWeights], inputs: list[Inputs]
    ) -> Outputs:
        """Runs groups in one program; their number is filled up to a power of two."""
        count = 1 << (len(weights) - 1).bit_length()
        heads = [{path: task.leaves[path] for path in compiled.head} for task in weights]
        trees = [(heads[n], weights[n].bit_planes, inputs[n]) for n in range(len(weights))]
        filled = [trees[n % len(trees)] for n in range(count)]
        shared = {path: self._leaves[path] for path in compiled.paths if path in self._leaves}
        return list(np.asarray(compiled.batched(shared, *stack(*filled))))[: len(weights)]

    def _warm(self, compiled: CompiledModel | None, inputs: Inputs) -> int:
        """Runs each program of a model, or of the base, for inputs of one shape."""
        forward = compiled.forward if compiled else self._features(self._config)
        if compiled is None:
            batches = [[self._fetch(None)]]
        else:
            masked, unmasked = self._blank_tasks(compiled)
            for path in compiled.maskable:
                unmask(masked.leaves[path], masked.bit_planes[path])
            powers = range((self._together - 1).bit_length() + 1)
            batches = [[unmasked], *([masked] * 2**power for power in powers)]
        for batch in batches:
            self._compute(compiled, forward, batch, [inputs] * len(batch))
        return len(batches)

    def _blank_tasks(self, compiled: CompiledModel) -> tuple[TaskWeights, TaskWeights]:
        """A task with masks and one without."""
        shapes = {
            path: leaf.shape for path, leaf in flatten_with_paths(compiled.model.abstract).items()
        }
        head = {path: np.zeros(shapes[path], np.float32) for path in compiled.head}
        path = compiled.maskable[0]
        bit_planes, head = jax.device_put(({path: full_bit_planes(shapes[path])}, head))
        masked, unmasked = PackedTask(bit_planes, head), PackedTask({}, head)
        return self.cache.complete(compiled, masked), self.cache.complete(compiled, unmasked)


def in_order(
    calls: Iterable[Callable[[], Result]], pool: ThreadPoolExecutor, limit: int
) -> Iterator[Result]:
    """Runs calls in threads, and yields their results in order.

    A call is made only when a thread is about to be free, so the weights that calls hold are those
    of few calls at a time.

    Example:
        >>> with ThreadPoolExecutor(2) as pool:
        ...     list(in_order([lambda: 1, lambda: 2, lambda: 3], pool, 2))
        [1, 2, 3]
    """
    if limit == 1:
        yield from (call() for call in calls)
        return
    pending: deque[Future[Result]] = deque()
    try:
        for call in calls:
            pending.append(pool.submit(call))
            if len(pending) > limit:  # one waits, so that no thread does
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.exception()


def _compiled(target: Target) -> CompiledModel:
    assert target.task is not None  # the base has vectors only
    return target.task.compiled


def _shares_base(compiled: CompiledModel, weights: list[TaskWeights]) -> list[int]:
    """The numbers of tasks that are masked and have nothing of their own but the head."""
    head = set(compiled.head)
    return [
        n for n, task in enumerate(weights) if task.bit_planes and task.packed.own.keys() <= head
    ]
