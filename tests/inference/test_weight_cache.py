"""Tasks in three places under budgets, against a model in plain Python."""

from types import SimpleNamespace

import numpy as np
import pytest

from maskjax.inference.registry import PackedTask
from maskjax.inference.weight_cache import PATIENCE, Budgets, WeightCache

COMPILED = SimpleNamespace(paths=("a/kernel", "head"), maskable=("a/kernel",))
BASE = {"a/kernel": np.arange(64, dtype=np.float32).reshape(16, 4)}
PLANES = 8  # bytes of the masks of a task


class Shadow:
    """What should be where, the least recently used first."""

    def __init__(self, device: int, host: int) -> None:
        self.budgets, self.places, self.reads = (device, host), ([], []), 0

    def size(self, place, sizes):
        return sum(sizes[key] for key in self.places[place])

    def add(self, key, sizes):
        fits = self.size(0, sizes) + sizes[key] <= self.budgets[0]
        self.places[not fits].append(key)
        self.shrink_host(sizes)

    def fetch(self, key, sizes):
        device, host = self.places
        self.reads += key not in device + host
        for place in self.places:
            place[:] = [other for other in place if other != key]
        device.append(key)
        self.shrink(sizes, key)

    def shrink(self, sizes, keep):
        device, host = self.places
        while self.size(0, sizes) > self.budgets[0] and device[0] != keep:
            host.append(device.pop(0))
        self.shrink_host(sizes)

    def shrink_host(self, sizes):
        while self.size(1, sizes) > self.budgets[1]:
            self.places[1].pop(0)


def make(random):
    planes = random.integers(0, 256, (2, 4)).astype(np.uint8)
    head = random.normal(size=int(random.integers(1, 30))).astype(np.float32)
    return PackedTask({"a/kernel": planes}, {"head": head})


@pytest.mark.parametrize("budgets", [(300, 200), (0, 300), (500, 0), (0, 0), (10**6, 0)])
def test_cache_matches_a_brute_force_model(budgets):
    random, tasks, reads = np.random.default_rng(sum(budgets)), {}, []
    shadow = Shadow(*budgets)

    def read(key):
        reads.append(key)
        return tasks[key]

    cache = WeightCache(BASE, lambda key: COMPILED, read, Budgets(*budgets, hot=0))
    for number in range(600):
        sizes = {key: task.nbytes for key, task in tasks.items()}
        match random.integers(8) if len(tasks) > 2 else 0:
            case 0:
                tasks[number] = make(random)
                cache.add(number, tasks[number])
                shadow.add(number, sizes | {number: tasks[number].nbytes})
            case 1:
                key = int(random.choice(list(tasks)))
                cache.drop(key)
                del tasks[key]
                shadow.places = tuple([k for k in place if k != key] for place in shadow.places)
            case _:
                key = int(random.choice(list(tasks)))
                loaded = cache.fetch(key)
                shadow.fetch(key, sizes)
                np.testing.assert_array_equal(
                    loaded.bit_planes["a/kernel"], tasks[key].bit_planes["a/kernel"]
                )
                np.testing.assert_array_equal(loaded.leaves["head"], tasks[key].own["head"])
                assert loaded.leaves["a/kernel"] is BASE["a/kernel"]
        sizes = {key: task.nbytes for key, task in tasks.items()}
        resident = cache.resident()
        on_device = shadow.places[0]
        assert resident["packed"] == PLANES * len(on_device)
        assert resident["packed"] + resident["heads"] == shadow.size(0, sizes)
        assert resident["host"] == shadow.size(1, sizes)
        assert len(reads) == shadow.reads


def test_merged_copies_stay_for_tasks_in_use():
    """Two of three fit; the third waits until one of them is no longer asked for."""
    random = np.random.default_rng(0)
    budgets = Budgets(device=10**6, host=0, hot=2 * 256)
    cache = WeightCache(BASE, lambda key: COMPILED, None, budgets)
    tasks = {key: make(random) for key in "abc"}
    for key, task in tasks.items():
        cache.add(key, task)

    def hot(keys):
        cache.begin(keys)
        weights = {key: cache.fetch(key) for key in keys}
        for key in keys:
            bits = np.unpackbits(tasks[key].bit_planes["a/kernel"][None], axis=0, bitorder="little")
            expected = BASE["a/kernel"] * bits.reshape(16, 4)
            if not weights[key].bit_planes:
                np.testing.assert_array_equal(weights[key].leaves["a/kernel"], expected)
        return {key for key in keys if not weights[key].bit_planes}

    for _ in range(PATIENCE - 1):
        assert hot("abc") == set()
    assert hot("abc") == hot("abc") == {"a", "b"}
    assert cache.resident()["hot"] == 2 * 256
    assert hot("bc") == {"b", "c"}
    assert hot("abc") == {"b", "c"}
    cache.drop("b")
    assert cache.resident()["hot"] == 256
