"""One base and any number of tasks, answered in mixed batches."""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import EllipsisType, MappingProxyType
from typing import Literal

import jax
import numpy as np

from maskjax.errors import suggest
from maskjax.inference.batching import BUCKETS, ROWS
from maskjax.inference.executor import Executor, Work
from maskjax.inference.pooling import Pooling, pool, read_pooling
from maskjax.inference.postprocess import Answer, Function, make_answer
from maskjax.inference.prepared import Prepared, UnknownTaskError, name_tasks, prepare_rows
from maskjax.inference.preprocess import InputSpec, Reader, Row, takes
from maskjax.inference.registry import RegisteredTask, Registry
from maskjax.masking import flatten_with_paths
from maskjax.models import load_base
from maskjax.tasks import Task


class Predictor:
    """One base and any number of tasks.

    The base is held once, and a task at one bit a masked weight with its head. Rows of many tasks
    and lengths run in one go. A task is data: adding, replacing or removing one compiles nothing,
    once programs for tasks of its kind exist (`warm_up`).

    All methods may be called from any thread; `run`, `add` and `remove` wait for each other. Of a
    text, the first 32 characters for each token that its task reads are used.

    Args:
        base: A local folder, a Hub id, or `minilm`.
        tasks: Task files or run folders, as for `add`.
        revision: Branch, tag or commit of the base on the Hub.
        offline: Never ask the network.
        dtype: The dtype of activations and products.
        device_bytes: For packed tasks on the device. Those being computed are there in any case.
        host_bytes: For packed tasks in host memory; more are read from their files again.
        hot_bytes: For merged copies of tasks that are asked for all the time, which then cost what
            the base alone costs; 0 for none.
        buckets: Lengths that sequences are padded to; more of them, more programs.
        rows: Numbers of sequences that run at once, ascending from 1.
        together: Tasks that run at once under `jax.vmap`; None means one on CPU, where that is
            fastest, and 16 on other devices.
        workers: Programs that run at the same time; None means one a core on CPU, where a few
            rows do not keep all cores busy, and one on other devices.
        kernel: Multiply by a Pallas kernel that never writes masked weights; on TPUs only.

    Raises:
        InputError: If the base or a task cannot be read, or they do not belong together.
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
        self._lock = threading.Lock()
        self._folder = loaded.folder
        self._reader = Reader(loaded)
        leaves = jax.device_put(flatten_with_paths(loaded.params))
        self._registry = Registry(
            loaded.config, leaves, dtype=dtype, kernel=kernel, offline=offline
        )
        self._mixed = Executor(
            loaded.config,
            leaves,
            self._registry.read,
            dtype=dtype,
            device_bytes=device_bytes,
            host_bytes=host_bytes,
            hot_bytes=hot_bytes,
            buckets=buckets,
            rows=rows,
            together=together or (1 if on_cpu else 16),
            workers=workers or ((os.cpu_count() or 1) if on_cpu else 1),
            kernel=kernel,
        )
        # Never changed but exchanged, so that it can be read without the lock.
        self._known: dict[str, RegisteredTask] = {}
        self._whole_base = InputSpec("the base", None, loaded.config.max_positions)
        for place in tasks:
            self.add(place)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks by name, as they are now."""
        return MappingProxyType({name: one.task for name, one in self._known.items()})

    def add(self, place: str | Path, name: str | None = None) -> str:
        """Adds a task, or replaces the one of the same name in one step.

        Args:
            place: A task file, a run folder, or the Hub id of a published task.
            name: What to call it; None for the stem of the file, or the name of the run folder.

        Returns:
            The name.

        Raises:
            InputError: If it cannot be read or does not fit the base; all is as it was then.
        """
        one, packed = self._registry.open(place, name)
        with self._lock:
            old = self._known.get(one.name)
            self._mixed.residency.add(one, packed)
            self._known = {**self._known, one.name: one}
            if old is not None:
                self._mixed.residency.drop(old)
        return one.name

    def remove(self, name: str) -> None:
        """Removes a task.

        Raises:
            UnknownTaskError: If there is none of this name.
        """
        with self._lock:
            self._mixed.residency.drop(self._find(name))
            self._known = {other: one for other, one in self._known.items() if other != name}

    def warm_up(self, *, base: bool = False) -> int:
        """Compiles what the present tasks, and others of their kinds and sizes, can need.

        Args:
            base: Also compile what answers without a task.

        Returns:
            How many programs there are.
        """
        with self._lock:
            return self._mixed.warm_up(list(self._known.values()), base=base)

    def prepare(
        self,
        inputs: Sequence[Row],
        task: str | None,
        *,
        vector: bool = False,
        function: Function = "softmax",
    ) -> list[Prepared]:
        """Tokenizes rows; the device is not touched.

        Args:
            inputs: The rows.
            task: The task that is to answer; None for the base.
            vector: Whether to answer with the vectors of texts or pairs, as `vectors` does.
            function: What makes scores of logits.

        Returns:
            One for each row.

        Raises:
            InputError: If there is no such task, or a row is not what it takes.
        """
        how = self._asked(task)
        if vector:
            _ = self._pooling  # of another kind than can be computed, it is refused here
            how = how._replace(task=None)
        rows = [(row, task, how) for row in inputs]
        return prepare_rows(self._reader, rows, vector=vector, function=function)

    def vectors(self, inputs: Sequence[Row], task: str | None = None) -> np.ndarray:
        """One vector for each text, of the base or under the weights of a task.

        Args:
            inputs: Texts, or pairs of texts.
            task: The task whose masks and other weights of the encoder are used; None for the
                base alone. Its head is not.

        Returns:
            `[rows, hidden]` float32: the mean over the tokens of the last block, or the vector of
            the first token where the base's sentence-transformers files say so.

        Raises:
            InputError: If there is no such task, a row is not a text, or the base has another way.
        """
        return np.array(self.run(self.prepare(inputs, task, vector=True)), np.float32)

    def run(self, rows: Sequence[Prepared], top_k: int | None = 1) -> list[Answer]:
        """Answers rows of any tasks and lengths.

        Args:
            rows: From `prepare`.
            top_k: How many classes or choices to name; None for all.

        Returns:
            One answer for each row, in order; `maskjax.inference.Answer` says of which shape. A
            task that was replaced since is answered by the new one.

        Raises:
            UnknownTaskError: If a task was removed since, or replaced by one that reads rows in
                another way; nothing is computed then, for any row.
            InputError: If the file of a task that is on disk only has changed or is gone.
        """
        with self._lock:
            known = [None if row.task is None else self._find(row.task) for row in rows]
            for row, one in zip(rows, known, strict=True):
                row.check_task(one)
            work = [
                Work(one, row.vector or one is None) for row, one in zip(rows, known, strict=True)
            ]
            outputs = self._mixed.run(work, [row.read.tokens for row in rows])
        return [
            pool(each[0], self._pooling).tolist()
            if row.vector
            else make_answer(one and one.task, row.read, each, top_k, row.function)
            for row, one, each in zip(rows, known, outputs, strict=True)
        ]

    def __call__(
        self,
        inputs: Sequence[Row],
        task: str | EllipsisType | None = ...,
        *,
        tasks: Sequence[str | None] | None = None,
        top_k: int | None = 1,
    ) -> list[Answer]:
        """Prepares and runs.

        Args:
            inputs: The rows.
            task: The task of all; it may be left out where there is exactly one. None for the base.
            tasks: The task of each row instead.
            top_k: As for `run`.

        Returns:
            One answer for each row.

        Raises:
            InputError: If there is no such task, or a row is not what its task takes.
        """
        names = name_tasks(len(inputs), task, tasks, list(self._known))
        return self.run(self._prepare(list(zip(inputs, names, strict=True))), top_k)

    def all(self, inputs: Sequence[Row], top_k: int | None = 1) -> dict[str, list[Answer]]:
        """Lets every task answer that takes rows of this form.

        Args:
            inputs: The rows; each text is tokenized once for all tasks of one length.
            top_k: As for `run`.

        Returns:
            The answers by task.

        Raises:
            InputError: If a row is empty.
        """
        known = self._known
        names = [name for name, one in known.items() if all(takes(one.task, row) for row in inputs)]
        answers = self.run(self._prepare([(row, name) for name in names for row in inputs]), top_k)
        each = len(inputs)
        return {name: answers[i * each : (i + 1) * each] for i, name in enumerate(names)}

    def resident(self) -> dict[str, int]:
        """Bytes by place: "base", "packed" masks and "heads" on the device, "hot", "host"."""
        return self._mixed.residency.resident()

    def _find(self, name: str) -> RegisteredTask:
        known = self._known
        if name not in known:
            hint = suggest(name, list(known)) if known else "there are no tasks"
            raise UnknownTaskError(f"task {name!r} is not there; {hint}.")
        return known[name]

    def _asked(self, name: str | None) -> InputSpec:
        return self._whole_base if name is None else self._find(name).asked

    @cached_property
    def _pooling(self) -> Pooling:
        return read_pooling(self._folder)

    def _prepare(self, rows: Sequence[tuple[Row, str | None]]) -> list[Prepared]:
        asked = [(row, name, self._asked(name)) for row, name in rows]
        return prepare_rows(self._reader, asked)
