"""One base and any number of tasks, answered in mixed batches."""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import EllipsisType, MappingProxyType
from typing import Any, Literal

import jax
import numpy as np

from maskjax.errors import InputError
from maskjax.inference.batching import BUCKETS, ROWS, model_buckets
from maskjax.inference.executor import Executor, Target
from maskjax.inference.postprocess import Answer, Pooling, make_answer, pool, read_pooling
from maskjax.inference.preprocess import Function, InputRow, PreparedRow, Reader, fits
from maskjax.inference.registry import Registry
from maskjax.inference.truncation import warn_of_truncated
from maskjax.inference.weight_cache import Budgets
from maskjax.models import load_base
from maskjax.tasks import Task


class Predictor:
    """One base and any number of tasks.

    The base is held once, and a task at one bit per masked weight with its head. Rows of many tasks
    and lengths run in one batch. A task is data: adding, replacing or removing one compiles
    nothing, once programs for tasks of its kind exist (`warm_up`).

    All methods may be called from any thread; `run`, `add` and `remove` wait for each other. A text
    that is longer than what its task reads is read in windows where the task has a stride. Else it
    is truncated, to 32 characters for each token before it is tokenized, and a warning says so.

    Args:
        base: A local folder, a Hub id, or `minilm`.
        tasks: Task files or run folders, as for `add`.
        revision: Branch, tag or commit of the base on the Hub.
        offline: Never ask the network.
        dtype: The dtype of activations and products.
        device_bytes: For packed tasks on the device. Tasks that run are there in any case.
        host_bytes: For packed tasks in host memory; others are read from their files again.
        hot_bytes: For merged copies of tasks that are used all the time, which then take as long
            as the base alone; 0 for none.
        buckets: Lengths that sequences are padded to; more of them, more programs.
        rows: Numbers of sequences in a group, which runs as one program; ascending from 1.
        together: Tasks that run in one program under `jax.vmap`; None means one on CPU, where
            that is fastest, and 16 on other devices.
        workers: Programs that run at the same time; None means one per core on CPU, where a few
            rows do not keep all cores busy, and one on other devices.
        kernel: Multiply by a Pallas kernel that never writes masked weights; on TPUs only.

    Raises:
        InputError: If the base or a task cannot be read, or they do not belong together.

    Example:
        >>> predictor = Predictor(base, tasks=[trained])
        >>> list(predictor.tasks)
        ['run']
        >>> answer = predictor(["a bad play"], "run")[0]
        >>> answer[0]["label"] in ("negative", "positive"), 0.5 <= answer[0]["score"] <= 1
        (True, True)
    """

    def __init__(
        self,
        base: str,
        tasks: Iterable[str | Path] = (),
        *,
        revision: str | None = None,
        offline: bool = False,
        dtype: Literal["float32", "bfloat16"] = "float32",
        device_bytes: int = 2 * 2**30,
        host_bytes: int = 4 * 2**30,
        hot_bytes: int = 2**29,
        buckets: Sequence[int] = BUCKETS,
        rows: tuple[int, ...] = ROWS,
        together: int | None = None,
        workers: int | None = None,
        kernel: bool = False,
    ) -> None:
        on_cpu = jax.default_backend() == "cpu"
        loaded = load_base(base, revision=revision, offline=offline)
        loaded = loaded._replace(params=jax.device_put(loaded.params))
        config = loaded.config
        buckets = model_buckets(config.max_positions, buckets)
        self._longest = config.max_positions
        self._lock = threading.Lock()
        self._folder = loaded.folder
        self._reader = Reader(loaded, buckets)
        self._registry = Registry(loaded, dtype=dtype, kernel=kernel, offline=offline)
        self._executor = Executor(
            config,
            self._registry.leaves,
            self._registry.read,
            dtype=dtype,
            budgets=Budgets(device_bytes, host_bytes, hot_bytes),
            buckets=buckets,
            rows=rows,
            together=together or (1 if on_cpu else 16),
            workers=workers or ((os.cpu_count() or 1) if on_cpu else 1),
            kernel=kernel,
        )
        for place in tasks:
            self.add(place)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The present tasks by name."""
        return MappingProxyType({task.name: task.task for task in self._registry})

    def add(self, place: str | Path, name: str | None = None) -> str:
        """Adds a task, or replaces the one of the same name in one step.

        Args:
            place: A task file, a run folder, or the Hub id of a published task.
            name: What to call it; None for the stem of the file, or the name of the run folder.

        Returns:
            The name.

        Raises:
            InputError: If it cannot be read or does not fit the base; nothing changes then.
        """
        added, packed = self._registry.open(place, name)
        with self._lock:
            self._executor.cache.add(added, packed)
            replaced = self._registry.put(added)
            if replaced is not None:
                self._executor.cache.drop(replaced)
        return added.name

    def remove(self, name: str) -> None:
        """Removes a task by name.

        Raises:
            UnknownTaskError: If there is none of this name.
        """
        with self._lock:
            self._executor.cache.drop(self._registry.remove(name))

    def warm_up(self, *, base: bool = False) -> int:
        """Compiles what the present tasks, and others of their kinds and sizes, can need.

        Args:
            base: Also compile what answers without a task.

        Returns:
            The number of programs.
        """
        with self._lock:
            return self._executor.warm_up(list(self._registry), base=base)

    def prepare(
        self,
        inputs: Sequence[InputRow],
        task: str | None,
        *,
        vector: bool = False,
        function: Function = "softmax",
    ) -> list[PreparedRow]:
        """Tokenizes rows; the device is not used.

        Args:
            inputs: The rows.
            task: The task that is to answer; None for the base.
            vector: Whether to answer with the vectors of texts or pairs, as `vectors` does.
            function: What makes scores of logits.

        Returns:
            One for each row.

        Raises:
            InputError: If there is no such task, or a row is not of the form that it reads.
        """
        if vector:
            _ = self._pooling  # refuses a base whose pooling is not supported
        return self._prepare([(row, task) for row in inputs], vector=vector, function=function)

    def run(self, rows: Sequence[PreparedRow], top_k: int | None = 1) -> list[Answer]:
        """Answers rows of any tasks and lengths.

        Args:
            rows: From `prepare`.
            top_k: How many classes or choices to name; None for all.

        Returns:
            One answer for each row, in order; `maskjax.inference.Answer` describes its forms. Rows
            of a task that was replaced since are answered by the new one.

        Raises:
            UnknownTaskError: If a task was removed since, or replaced by one that reads rows of
                another form; nothing is computed then, for any row.
            InputError: If the file of a task that is on disk only has changed or is gone.
        """
        with self._lock:
            tasks = [self._registry.current(row) for row in rows]
            targets = [
                Target(task, row.vector or task is None)
                for row, task in zip(rows, tasks, strict=True)
            ]
            sequences = [row.tokenized.sequences for row in rows]
            outputs = self._executor.run(list(zip(targets, sequences, strict=True)))
        return [
            pool(row_outputs, self._pooling)
            if row.vector
            else make_answer(task and task.task, row.tokenized, row_outputs, top_k, row.function)
            for row, task, row_outputs in zip(rows, tasks, outputs, strict=True)
        ]

    def __call__(
        self,
        inputs: Sequence[InputRow],
        task: str | EllipsisType | None = ...,
        *,
        tasks: Sequence[str | None] | None = None,
        top_k: int | None = 1,
    ) -> list[Answer]:
        """Prepares and runs rows.

        Args:
            inputs: The rows.
            task: The task of all; it may be left out where there is exactly one. None for the base.
            tasks: The task of each row instead.
            top_k: As for `run`.

        Returns:
            One answer for each row.

        Raises:
            InputError: If there is no such task, or a row is not of the form that its task reads.
        """
        if tasks is None:
            only = self._registry.only().name if isinstance(task, EllipsisType) else task
            tasks = [only] * len(inputs)
        if len(tasks) != len(inputs):
            raise InputError(
                f"tasks: expected one for each of {len(inputs)} inputs, got {len(tasks)}."
            )
        return self._warn_and_run(self._prepare(list(zip(inputs, tasks, strict=True))), top_k)

    def all(self, inputs: Sequence[InputRow], top_k: int | None = 1) -> dict[str, list[Answer]]:
        """Runs every task that reads rows of this form.

        Args:
            inputs: The rows; each text is tokenized once for all tasks of one length.
            top_k: As for `run`.

        Returns:
            The answers by task.

        Raises:
            InputError: If a row is empty.
        """
        names = [task.name for task in self._registry if all(fits(task.task, x) for x in inputs)]
        rows = self._prepare([(row, name) for name in names for row in inputs])
        answers = self._warn_and_run(rows, top_k)
        count = len(inputs)
        return {name: answers[n * count : (n + 1) * count] for n, name in enumerate(names)}

    def vectors(self, inputs: Sequence[InputRow], task: str | None = None) -> np.ndarray:
        """One vector for each text, of the base or under the weights of a task.

        Args:
            inputs: Texts, or pairs of texts.
            task: The task whose masks and other weights of the encoder are used; None for the
                base alone. Its head is not used.

        Returns:
            `[rows, hidden]` float32: the mean over the tokens of the last block, or the vector of
            the first token where the base's sentence-transformers files say so; a mean of windows.

        Raises:
            InputError: If there is no such task, a row is not a text, or the base has another
                pooling.
        """
        rows = self.prepare(inputs, task, vector=True)
        return np.array(self._warn_and_run(rows), np.float32)

    def resident(self) -> dict[str, int]:
        """Bytes of "base", "packed" masks and "heads" on the device, "hot" copies, "host"."""
        return self._executor.cache.resident()

    def _prepare(
        self, rows: Sequence[tuple[InputRow, str | None]], **options: Any
    ) -> list[PreparedRow]:
        spec = self._registry.spec
        return self._reader.prepare([(row, name, spec(name)) for row, name in rows], **options)

    def _warn_and_run(self, rows: list[PreparedRow], top_k: int | None = 1) -> list[Answer]:
        warn_of_truncated(rows, self._longest)
        return self.run(rows, top_k)

    @cached_property
    def _pooling(self) -> Pooling:
        return read_pooling(self._folder)
