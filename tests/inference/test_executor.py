"""Logits of mixed batches equal those of each task alone, for any number of tasks."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.inference.batching import model_buckets
from maskjax.inference.executor import Executor, Target, in_order
from maskjax.inference.preprocess import Reader
from maskjax.inference.registry import Registry
from maskjax.inference.weight_cache import Budgets
from maskjax.models import load_base
from maskjax.tasks import Split

TOLERANCE = 1e-5
BUDGETS = Budgets(device=2**30, host=2**30, hot=0)


class LoadedTasks:
    """A base with tasks, and each of these by itself."""

    def __init__(self, folder, tasks, budgets=BUDGETS, together=1) -> None:
        base = load_base(folder)
        base = base._replace(params=jax.device_put(base.params))
        buckets = model_buckets(base.config.max_positions, (16,))
        self.registry = Registry(base, dtype="float32", offline=True)
        self.executor = Executor(
            base.config,
            self.registry.leaves,
            self.registry.read,
            dtype="float32",
            budgets=budgets,
            buckets=buckets,
            rows=(1, 4),
            together=together,
            workers=2,
        )
        self.reader = Reader(base, buckets)
        self.alone = [task.alone for task in tasks]
        self.tasks = []
        for task in tasks:
            registered, packed = self.registry.open(task.path)
            self.executor.cache.add(registered, packed)
            self.tasks.append(registered)

    def prepare(self, rows):
        """Prepares pairs of a task's number and a row."""
        specs = [self.tasks[task].spec for task, _ in rows]
        return self.reader.prepare(
            [(row, spec.name, spec) for (_, row), spec in zip(rows, specs, strict=True)]
        )

    def run(self, rows):
        """Logits of pairs of a task's number and a row, as a predictor of one task gives them."""
        tokenized = [row.tokenized for row in self.prepare(rows)]
        tasks = [self.tasks[task] for task, _ in rows]
        outputs = self.executor.run(
            [
                (Target(task, vector=False), row.sequences)
                for task, row in zip(tasks, tokenized, strict=True)
            ]
        )
        return [
            _units(task.task, row, row_outputs)
            for task, row, row_outputs in zip(tasks, tokenized, outputs, strict=True)
        ]


def _units(task, row, outputs):
    if task.kind == "choice":
        return np.concatenate(outputs)[None]
    if task.kind != "tokens":
        return outputs[0][None, : task.num_outputs]
    (places,) = row.places
    logits = outputs[0][places, : task.num_outputs]
    logits[places < 0] = np.nan
    return logits


def expected(alone, rows):
    """The logits of a task's own rows, each `[units, outputs]`."""
    units = sum(map(len, rows)) if alone.task.kind == "tokens" else len(rows)
    split = Split(rows, np.zeros(units, np.int32), alone.task.kind)
    logits = alone.logits(alone.encode(split))
    return np.split(logits, np.cumsum(split.sizes)[:-1])


def check(loaded, random_rows, count, seed=0):
    """Shuffled rows of all tasks against each task's own rows."""
    rows, wanted = [], []
    for number, alone in enumerate(loaded.alone):
        own = random_rows(alone, count, seed + number)
        rows += [(number, row) for row in own]
        wanted += expected(alone, own)
    order = np.random.default_rng(seed).permutation(len(rows))
    for number, logits in zip(order, loaded.run([rows[n] for n in order]), strict=True):
        np.testing.assert_allclose(logits, wanted[number], atol=TOLERANCE, rtol=0)
    assert np.nanstd(np.concatenate([logits.ravel() for logits in wanted])) > 1e-2


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_batch_of_every_kind_matches_each_task_alone(family, base_of, make_task, random_rows):
    tasks = [make_task(family, name, 0) for name in ("masks", "numbers", "words", "choices")]
    check(LoadedTasks(base_of(family), tasks), random_rows, 5)


def test_batch_of_every_method_matches_each_task_alone(base_of, make_task, random_rows):
    names = ("masks", "biases", "heads", "lora", "finetuned", "bitfit")
    tasks = [make_task("bert", name, 0) for name in names]
    check(LoadedTasks(base_of("bert"), tasks, BUDGETS._replace(hot=2**20)), random_rows, 3)


@pytest.mark.parametrize("count", [1, 2, 16, pytest.param(100, marks=pytest.mark.slow)])
def test_any_number_of_tasks_matches_each_task_alone(count, base_of, make_task, random_rows):
    names = ("masks", "words", "numbers", "choices", "biases")
    tasks = [make_task("bert", names[n % 5], n) for n in range(count)]
    check(LoadedTasks(base_of("bert"), tasks), random_rows, 2 if count < 100 else 1)


def test_groups_of_tasks_match_each_task_alone(base_of, make_task, random_rows):
    tasks = [make_task("bert", "masks", n) for n in range(5)]
    tasks += [make_task("bert", "words", n) for n in range(3)]
    tasks += [make_task("bert", "biases", 0), make_task("bert", "lora", 0)]
    loaded = LoadedTasks(base_of("bert"), tasks, together=4)
    check(loaded, random_rows, 3)


def test_logits_do_not_depend_on_where_weights_are_kept(base_of, make_task, random_rows):
    """The device fits one task, memory two, and merged copies one; others are read from files."""
    tasks = [make_task("bert", name, n) for n, name in enumerate(("masks", "words") * 4)]
    loaded = LoadedTasks(base_of("bert"), tasks, Budgets(device=1, host=4000, hot=40_000))
    for seed in range(6):
        check(loaded, random_rows, 1, seed)
    resident = loaded.executor.cache.resident()
    assert 0 < resident["host"] <= 4000
    assert 0 < resident["hot"] <= 40_000


def test_features_match_the_base(base_of, make_task, random_rows):
    loaded = LoadedTasks(base_of("roberta"), [task := make_task("roberta", "masks", 0)])
    rows = random_rows(task.alone, 5)
    encoded = task.alone.encode(Split(rows, np.zeros(5, np.int32)))
    params = jax.tree.map(jnp.asarray, task.alone.base.params)
    sequences = [row.tokenized.sequences for row in loaded.prepare([(0, row) for row in rows])]
    outputs = loaded.executor.run([(Target(None, vector=True), row) for row in sequences])
    ids = encoded.input_ids.padded(np.arange(5), width=24, fill=1)
    mask = (np.arange(24) < encoded.lengths[:, None]).astype(np.int32)
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    last = jax.jit(task.alone.model.hidden_states)(params, inputs)[-1]
    first, mean = np.array([vectors for (vectors,) in outputs]).swapaxes(0, 1)
    np.testing.assert_allclose(first, last[:, 0], atol=TOLERANCE, rtol=0)
    lengths = [len(row[0].input_ids) for row in sequences]
    means = [states[:length].mean(0) for states, length in zip(last[:5], lengths, strict=True)]
    np.testing.assert_allclose(mean, means, atol=TOLERANCE, rtol=0)


def test_changed_file_is_not_read_again(base_of, make_task, random_rows):
    tasks = [make_task("bert", "masks", 20), make_task("bert", "masks", 21)]
    loaded = LoadedTasks(base_of("bert"), tasks, Budgets(device=1, host=0, hot=0))
    row = random_rows(tasks[0].alone, 1)[0]
    loaded.run([(0, row), (1, row)])
    make_task("bert", "masks", 20)  # the same bytes
    loaded.run([(0, row)])
    shutil.copy(make_task("bert", "masks", 22).path, tasks[1].path)
    with pytest.raises(InputError, match="changed since it was added"):
        loaded.run([(1, row)])


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_results_come_in_order(limit: int) -> None:
    def call(number: int) -> int:
        time.sleep(0.02 * (3 - number % 3))
        return number

    calls = [lambda number=number: call(number) for number in range(9)]
    with ThreadPoolExecutor(limit) as pool:
        assert list(in_order(calls, pool, limit)) == list(range(9))


def test_pending_calls_are_bounded() -> None:
    held, highest, lock = 0, 0, threading.Lock()

    def call() -> None:
        nonlocal held
        time.sleep(0.005)
        with lock:
            held -= 1

    def make() -> None:
        nonlocal held, highest
        with lock:
            held += 1
            highest = max(highest, held)

    def calls():
        for _ in range(20):
            make()
            yield call

    with ThreadPoolExecutor(2) as pool:
        assert len(list(in_order(calls(), pool, 2))) == 20
    assert 2 <= highest <= 3


def test_one_call_at_a_time_stays_in_this_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        threads = list(in_order([threading.get_ident] * 3, pool, 1))
    assert threads == [threading.get_ident()] * 3


def test_a_failure_is_raised_once_the_others_have_ended() -> None:
    ended = []

    def slow() -> None:
        time.sleep(0.05)
        ended.append(True)

    def fail() -> None:
        raise KeyError("gone")

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(KeyError, match="gone"):
            list(in_order([fail, slow], pool, 2))
        assert ended == [True]
