"""A base with its tasks on one device: rows in, outputs of the model out, from any thread."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from maskjax.inference.batching import model_buckets
from maskjax.inference.executor import Executor, Outputs, Target
from maskjax.inference.postprocess import row_logits
from maskjax.inference.preprocess import InputRow, PreparedRow, Reader
from maskjax.inference.registry import Registry
from maskjax.inference.truncation import warn_of_truncated
from maskjax.inference.weight_cache import Budgets
from maskjax.models import Base
from maskjax.progress import counted
from maskjax.tasks import Task

CHUNK = 512
"""Rows of which `Engine.logits` holds tokens and outputs at a time."""
RowFor = tuple[InputRow, str | None]
"""A row and the name of the task that is to answer it; None for the base."""


class Engine:
    """The tokenizers, tasks and programs of a base, whose use waits for changes of its tasks."""

    def __init__(
        self,
        base: Base,
        *,
        offline: bool,
        dtype: str,
        budgets: Budgets,
        buckets: Sequence[int],
        rows: tuple[int, ...],
        together: int | None,
        workers: int | None,
        kernel: bool,
        cut_texts: bool,
        allow_base_mismatch: bool,
    ) -> None:
        on_cpu = jax.default_backend() == "cpu"
        base = base._replace(params=jax.device_put(base.params))
        config = base.config
        buckets = model_buckets(config.max_positions, buckets)
        self.longest = config.max_positions
        self._lock = threading.Lock()
        self._reader = Reader(base, buckets, cut_texts=cut_texts)
        self.tasks = Registry(
            base,
            dtype=dtype,
            kernel=kernel,
            offline=offline,
            allow_base_mismatch=allow_base_mismatch,
        )
        self._executor = Executor(
            config,
            self.tasks.leaves,
            self.tasks.read,
            dtype=dtype,
            budgets=budgets,
            buckets=buckets,
            rows=rows,
            together=together or (1 if on_cpu else 16),
            workers=workers or ((os.cpu_count() or 1) if on_cpu else 1),
            kernel=kernel,
        )

    def add(self, place: str | Path, name: str | None) -> str:
        """Adds a task, or replaces the one of the same name; returns the name."""
        added, packed = self.tasks.open(place, name)
        with self._lock:
            self._executor.cache.add(added, packed)
            replaced = self.tasks.put(added)
            if replaced is not None:
                self._executor.cache.drop(replaced)
        return added.name

    def remove(self, name: str) -> None:
        """Removes a task."""
        with self._lock:
            self._executor.cache.drop(self.tasks.remove(name))

    def warm_up(self, *, base: bool) -> int:
        """Compiles what tasks, and the base if asked for, can need; the number of programs."""
        with self._lock:
            return self._executor.warm_up(list(self.tasks), base=base)

    def resident(self) -> dict[str, int]:
        """Bytes by place."""
        return self._executor.cache.resident()

    def prepare(self, rows: Sequence[RowFor], **options: Any) -> list[PreparedRow]:
        """Tokenizes rows; options are those of `Reader.prepare`."""
        named = [(row, name, self.tasks.spec(name)) for row, name in rows]
        return self._reader.prepare(named, **options)

    def run(self, rows: Sequence[PreparedRow]) -> list[tuple[Task | None, Outputs]]:
        """The task that answers each row now, and the outputs of the row's sequences."""
        with self._lock:
            tasks = [self.tasks.current(row) for row in rows]
            targets = [
                Target(task, row.vector or task is None)
                for row, task in zip(rows, tasks, strict=True)
            ]
            sequences = [row.tokenized.sequences for row in rows]
            outputs = self._executor.run(list(zip(targets, sequences, strict=True)))
        return list(zip([task and task.task for task in tasks], outputs, strict=True))

    def logits(self, rows: Sequence[InputRow], name: str | None) -> np.ndarray:
        """Logits `[units, outputs]` of rows of one task; without a name, of the only one."""
        task = self.tasks.only() if name is None else self.tasks[name]
        pieces = [np.zeros((0, task.task.num_outputs), np.float32)]
        read: list[PreparedRow] = []
        with counted("predicting", len(rows)) as counter:
            for start in range(0, len(rows), CHUNK):
                chunk = self.prepare([(row, task.name) for row in rows[start : start + CHUNK]])
                outputs = zip(chunk, self.run(chunk), strict=True)
                pieces += [row_logits(task.task, row.tokenized, out) for row, (_, out) in outputs]
                counter.add(len(chunk))
                read += [row.without_tokens() for row in chunk]
        warn_of_truncated(read, self.longest)
        return np.concatenate(pieces)
