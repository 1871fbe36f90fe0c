"""Logits of mixed batches equal those of each task alone, for any number of tasks."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.inference.executor import Executor, Work
from maskjax.inference.preprocess import Reader
from maskjax.inference.registry import Registry
from maskjax.masking import flatten_with_paths
from maskjax.models import load_base
from maskjax.tasks import Split

TOLERANCE = 1e-5
BUDGETS = {"device_bytes": 2**30, "host_bytes": 2**30, "hot_bytes": 0}


class LoadedTasks:
    """A base with tasks, and each of these by itself."""

    def __init__(self, folder, tasks, **options) -> None:
        base = load_base(folder)
        leaves = jax.device_put(flatten_with_paths(base.params))
        self.registry = Registry(base.config, leaves, dtype="float32", offline=True)
        options = {
            **BUDGETS,
            "buckets": (16,),
            "rows": (1, 4),
            "together": 1,
            "workers": 2,
            **options,
        }
        self.mixed = Executor(base.config, leaves, self.registry.read, dtype="float32", **options)
        self.reader = Reader(base)
        self.alone = [task.alone for task in tasks]
        self.ones = []
        for task in tasks:
            one, packed = self.registry.open(task.path)
            self.mixed.residency.add(one, packed)
            self.ones.append(one)

    def run(self, rows):
        """Logits of pairs of a task's number and a row, as a predictor of one task gives them."""
        reads = self.reader.read([(row, self.ones[task].asked) for task, row in rows])
        work = [Work(self.ones[task], vector=False) for task, _ in rows]
        found = self.mixed.run(work, [r.tokens for r in reads])
        return [
            _units(self.ones[task].task, read, outputs)
            for (task, _), read, outputs in zip(rows, reads, found, strict=True)
        ]


def _units(task, read, outputs):
    if task.kind == "choice":
        return np.concatenate(outputs)[None]
    if task.kind != "tokens":
        return outputs[0][None, : task.num_outputs]
    logits = outputs[0][read.places, : task.num_outputs]
    logits[read.places < 0] = np.nan
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
    assert np.nanstd(np.concatenate([one.ravel() for one in wanted])) > 1e-2


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert"])
def test_batch_of_every_kind_matches_each_task_alone(family, base_of, make_task, random_rows):
    tasks = [make_task(family, name, 0) for name in ("masks", "numbers", "words", "choices")]
    check(LoadedTasks(base_of(family), tasks), random_rows, 5)


def test_batch_of_every_method_matches_each_task_alone(base_of, make_task, random_rows):
    names = ("masks", "biases", "heads", "lora", "finetuned", "bitfit")
    tasks = [make_task("bert", name, 0) for name in names]
    check(LoadedTasks(base_of("bert"), tasks, hot_bytes=2**20), random_rows, 3)


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
    loaded = LoadedTasks(base_of("bert"), tasks, device_bytes=1, host_bytes=4000, hot_bytes=40_000)
    for seed in range(6):
        check(loaded, random_rows, 1, seed)
    resident = loaded.mixed.residency.resident()
    assert 0 < resident["host"] <= 4000
    assert 0 < resident["hot"] <= 40_000


def test_features_match_the_base(base_of, make_task, random_rows):
    loaded = LoadedTasks(base_of("roberta"), [task := make_task("roberta", "masks", 0)])
    rows = random_rows(task.alone, 5)
    encoded = task.alone.encode(Split(rows, np.zeros(5, np.int32)))
    params = jax.tree.map(jnp.asarray, task.alone.base.params)
    reads = loaded.reader.read([(row, loaded.ones[0].asked) for row in rows])
    found = loaded.mixed.run([Work(None, vector=True)] * 5, [read.tokens for read in reads])
    ids = encoded.input_ids.padded(np.arange(5), width=24, fill=1)
    mask = (np.arange(24) < encoded.lengths[:, None]).astype(np.int32)
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    last = jax.jit(task.alone.model.hidden_states)(params, inputs)[-1]
    first, mean = np.array([vectors for (vectors,) in found]).swapaxes(0, 1)
    np.testing.assert_allclose(first, last[:, 0], atol=TOLERANCE, rtol=0)
    means = [states[: len(read.tokens[0].input_ids)].mean(0) for states, read in zip(last, reads)]  # noqa: B905
    np.testing.assert_allclose(mean, means, atol=TOLERANCE, rtol=0)


def test_changed_file_is_not_read_again(base_of, make_task, random_rows):
    tasks = [make_task("bert", "masks", 20), make_task("bert", "masks", 21)]
    loaded = LoadedTasks(base_of("bert"), tasks, device_bytes=1, host_bytes=0)
    row = random_rows(tasks[0].alone, 1)[0]
    loaded.run([(0, row), (1, row)])
    make_task("bert", "masks", 20)  # the same bytes
    loaded.run([(0, row)])
    shutil.copy(make_task("bert", "masks", 22).path, tasks[1].path)
    with pytest.raises(InputError, match="changed since it was added"):
        loaded.run([(1, row)])
