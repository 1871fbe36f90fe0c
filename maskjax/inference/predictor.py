"""One base and any number of tasks, answered in mixed batches."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import EllipsisType, MappingProxyType
from typing import Literal

import numpy as np

from maskjax.config import Config
from maskjax.errors import InputError
from maskjax.inference.batching import BUCKETS, ROWS
from maskjax.inference.engine import Engine
from maskjax.inference.postprocess import Answer, Pooling, make_answer, pool, read_pooling
from maskjax.inference.preprocess import Function, InputRow, PreparedRow, fits
from maskjax.inference.truncation import warn_of_truncated
from maskjax.inference.weight_cache import Budgets
from maskjax.models import Base, load_base
from maskjax.tasks import Task


class Predictor:
    """One base and any number of tasks.

    The base is held once, and a task at one bit per masked weight with its head. Rows of many tasks
    and lengths run in one batch. A task is data: adding, replacing or removing one compiles
    nothing, once programs for tasks of its kind exist (`warm_up`).

    All methods may be called from any thread; `run`, `add` and `remove` wait for each other. A row
    that is longer than what its task reads is read in windows, or truncated with a warning.

    Args:
        base: A local folder, a Hub id, `minilm`, or a base that is loaded already.
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
        cut_texts: Tokenize only the first 32 characters of a text for each token that its task
            reads, so that a text of megabytes takes no seconds.
        allow_base_mismatch: Accept tasks of a base with other weights, as long as the shapes fit.

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
        base: str | Base,
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
        cut_texts: bool = True,
        allow_base_mismatch: bool = False,
    ) -> None:
        if not isinstance(base, Base):
            base = load_base(base, revision=revision, offline=offline)
        self._folder = base.folder
        self._engine = Engine(
            base,
            offline=offline,
            dtype=dtype,
            budgets=Budgets(device_bytes, host_bytes, hot_bytes),
            buckets=buckets,
            rows=rows,
            together=together,
            workers=workers,
            kernel=kernel,
            cut_texts=cut_texts,
            allow_base_mismatch=allow_base_mismatch,
        )
        for place in tasks:
            self.add(place)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The present tasks by name."""
        return MappingProxyType({task.name: task.task for task in self._engine.tasks})

    @property
    def configs(self) -> Mapping[str, Config]:
        """The settings of the runs that the tasks come from, by name."""
        return MappingProxyType({task.name: task.config for task in self._engine.tasks})

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
        return self._engine.add(place, name)

    def remove(self, name: str) -> None:
        """Removes a task by name.

        Raises:
            UnknownTaskError: If there is none of this name.
        """
        self._engine.remove(name)

    def warm_up(self, *, base: bool = False) -> int:
        """Compiles what the present tasks, and others of their kinds and sizes, can need.

        Args:
            base: Also compile what answers without a task.

        Returns:
            The number of programs.
        """
        return self._engine.warm_up(base=base)

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
        rows = [(row, task) for row in inputs]
        return self._engine.prepare(rows, vector=vector, function=function)

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
        return [
            pool(outputs, self._pooling)
            if row.vector
            else make_answer(task, row.tokenized, outputs, top_k, row.function)
            for row, (task, outputs) in zip(rows, self._engine.run(rows), strict=True)
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
            tasks = [self._engine.tasks.only().name if isinstance(task, EllipsisType) else task]
            tasks *= len(inputs)
        if len(tasks) != len(inputs):
            raise InputError(
                f"tasks: expected one for each of {len(inputs)} inputs, got {len(tasks)}."
            )
        rows = self._engine.prepare(list(zip(inputs, tasks, strict=True)))
        return self._warn_and_run(rows, top_k)

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
        names = [name for name, task in self.tasks.items() if all(fits(task, x) for x in inputs)]
        rows = [(row, name) for name in names for row in inputs]
        answers = self._warn_and_run(self._engine.prepare(rows), top_k)
        count = len(inputs)
        return {name: answers[n * count : (n + 1) * count] for n, name in enumerate(names)}

    def logits(self, inputs: Sequence[InputRow], task: str | None = None) -> np.ndarray:
        """Computes the logits of any number of rows of one task.

        Args:
            inputs: The rows.
            task: The task; it may be left out where there is exactly one.

        Returns:
            `[units, outputs]` float32, in the order of the rows and their words; NaN for words
            that have no token.

        Raises:
            InputError: If there is no such task, or a row is not of the form that it reads.

        Example:
            >>> Predictor(base, [trained]).logits(["a bad play", "a good film"]).shape
            (2, 2)
        """
        return self._engine.logits(inputs, task)

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
        return self._engine.resident()

    def _warn_and_run(self, rows: list[PreparedRow], top_k: int | None = 1) -> list[Answer]:
        warn_of_truncated(rows, self._engine.longest)
        return self.run(rows, top_k)

    @cached_property
    def _pooling(self) -> Pooling:
        return read_pooling(self._folder)
