"""Many tasks over one base: mixed batches against one dense batch, and what they keep in memory.

    python -m benchmarks.many_tasks                          # MiniLM, 16 and 1,000 tasks
    python -m benchmarks.many_tasks --size base --many 100   # random weights of BERT-base's size

Masks are random and drop 5 %. Each round times every form once, so that a change of the machine's
speed meets all of them; medians and ratios are over the rounds. A row has 128 tokens. The task of
each of the 16 rows is re-initialized for each round where there are more than 16.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import psutil
import tyro

from benchmarks.harness import SIZES, median_ratio, seconds_in_turns
from benchmarks.random_base import write_random_base
from maskjax.adaptation import Delta
from maskjax.analysis.footprint import live_bytes
from maskjax.config import Config, ModelConfig
from maskjax.inference import Predictor, PreparedRow
from maskjax.inference.batching import Group, Tokens, collate
from maskjax.masking import flatten_with_paths
from maskjax.masking.selection import select_paths
from maskjax.models import Base, build_model, head_paths, load_base, with_head
from maskjax.models.matrix_types import encoder_rules
from maskjax.models.minilm import minilm_folder
from maskjax.taskfile import load_task_file, make_meta, make_task_file, mask_bytes, save_task_file
from maskjax.tasks import Task

MIXED = 16
TOKENS = 128
FILES = 16
"""Task files; more tasks are some of them again, under other names."""
BUDGET = 20
"""Tasks that a bounded device holds, and as many the host."""
TASK = Task(name="benchmark", labels=("no", "yes"))


def main(
    *,
    size: Literal["minilm", "base"] = "minilm",
    many: int = 1000,
    resident: int = 100,
    rounds: int = 9,
    out: Path | None = None,
) -> None:
    """Prints a line for each measure.

    Args:
        size: The real MiniLM, or random weights of BERT-base's size.
        many: Tasks of the larger predictor.
        resident: Tasks whose memory is measured.
        rounds: Timed runs of each form.
        out: A JSON file for the numbers.
    """
    with tempfile.TemporaryDirectory() as folder:
        base = (
            minilm_folder()
            if size == "minilm"
            else write_random_base(SIZES["base"], Path(folder) / "base")
        )
        files = write_tasks(load_base(base), Path(folder))
        memory = _memory(base, files, resident)
        found: dict[str, Any] = {"memory": memory}
        found["times"] = _times(base, files, many, rounds)
        found["disk"] = _from_disk(base, files, memory["bytes held for a task"], many, rounds)
    if out:
        out.write_text(json.dumps(found, indent=2))


def write_tasks(base: Base, folder: Path) -> list[Path]:
    """Task files that mask every matrix of the encoder."""
    random, model = np.random.default_rng(0), build_model(base.config, TASK.num_outputs)
    leaves = flatten_with_paths(with_head(base.params, model, jax.random.key(0)))
    kinds = ("query", "key", "value", "attention_output", "intermediate", "output", "pooler")
    masked = select_paths(list(leaves), encoder_rules(kinds))
    meta = make_meta(TASK, base, Config(model=ModelConfig(base="minilm")), {})
    paths = []
    for number in range(FILES):
        masks = {path: random.random(leaves[path].shape) > 0.05 for path in masked}
        head = {path: random.normal(size=leaves[path].shape) for path in head_paths(model)}
        weights = {path: leaf.astype(np.float32) for path, leaf in head.items()}
        delta = Delta.of(weights=weights, masks=masks)
        paths.append(folder / f"task{number}.safetensors")
        save_task_file(paths[-1], make_task_file(delta, flatten_with_paths(base.params), meta))
    return paths


def _memory(base: Path, files: Sequence[Path], count: int) -> dict[str, float]:
    """Bytes of all arrays that JAX holds, and of the process, before and after tasks are added."""
    process = psutil.Process()
    predictor = Predictor(str(base), hot_bytes=0, device_bytes=2**40)
    others, rss = live_bytes() - predictor.resident()["base"], process.memory_info().rss
    _add(predictor, files, count)
    file = load_task_file(files[0])
    packed, head = mask_bytes(file.masks), sum(x.nbytes for x in file.delta.weights.values())
    there, added = predictor.resident(), count * (packed + head)
    base_bytes = there["base"]
    found = {
        "bytes of the base": base_bytes,
        "bytes of a task": packed + head,
        "bytes held for a task": (there["packed"] + there["heads"]) / count,
        "arrays / (base + tasks)": (live_bytes() - others) / (base_bytes + added),
        "growth of the process / tasks": (process.memory_info().rss - rss) / added,
    }
    print(f"memory, base + {count} tasks: {found}", flush=True)
    return found


def _add(predictor: Predictor, files: Sequence[Path], count: int) -> None:
    for number in range(count):
        predictor.add(files[number % FILES], f"task{number}")


def _from_disk(
    base: Path, files: Sequence[Path], held: float, many: int, rounds: int
) -> dict[str, float]:
    """Mixed batches of tasks most of which are neither on the device nor in host memory."""
    random = np.random.default_rng(2)
    budget = int(BUDGET * held)
    predictor = Predictor(str(base), hot_bytes=0, device_bytes=budget, host_bytes=budget)
    _add(predictor, files, many)
    row, most, times = predictor.prepare(["the " * (2 * TOKENS)], "task0")[0], 0, []
    for _ in range(rounds):
        chosen = random.choice(many, MIXED, replace=False)
        start = time.perf_counter()
        predictor.run([row._replace(task=f"task{n}") for n in chosen])
        times.append(time.perf_counter() - start)
        there = predictor.resident()
        most = max(most, there["packed"] + there["heads"])
    found = {"budget": budget, "most on the device": most, "median": statistics.median(times)}
    print(f"{MIXED} rows of {MIXED} of {many} tasks, most of them on disk: {found}", flush=True)
    return found


def _times(base: Path, files: Sequence[Path], many: int, rounds: int) -> dict[str, Any]:
    forms = _forms(base, files, many)
    times = seconds_in_turns(forms, rounds, warm_up=5)  # until the hot task is merged
    found: dict[str, dict[str, Any]] = {}
    for name, each in times.items():
        against = "one row, dense" if "one row" in name else "16 rows, dense"
        ratio = median_ratio(each, times[against])
        fastest = min(each) / min(times[against])
        median = statistics.median(each)
        found[name] = {"seconds": each, "median": median, "ratio": ratio, "fastest": fastest}
        print(
            f"{name:34} {1e3 * median:8.1f} ms, {ratio:.2f} of dense; "
            f"fastest {1e3 * min(each):8.1f} ms, {fastest:.2f}",
            flush=True,
        )
    return found


def _forms(base: Path, files: Sequence[Path], many: int) -> dict[str, Callable[[], Any]]:
    random = np.random.default_rng(1)
    few = Predictor(str(base), files[:MIXED], hot_bytes=0)
    lots = Predictor(str(base), hot_bytes=0)
    one = Predictor(str(base), files[:1])
    start = time.perf_counter()
    _add(lots, files, many)
    print(f"adding a task: {1e3 * (time.perf_counter() - start) / many:.1f} ms", flush=True)
    names = list(few.tasks)
    text = "the " * (2 * TOKENS)
    rows = [few.prepare([text], name)[0] for name in names]
    single = one.prepare([text], None if not one.tasks else next(iter(one.tasks)))

    def mixed_of_many() -> None:
        chosen = random.choice(many, MIXED, replace=False)
        lots.run([row._replace(task=f"task{n}") for row, n in zip(rows, chosen, strict=True)])

    return {
        "16 rows, dense": dense_batch(base, rows),
        "16 rows, 16 tasks": lambda: few.run(rows),
        f"16 rows, 16 of {many} tasks": mixed_of_many,
        "16 rows, merged one by one": _merged(base, files, rows),
        "one row, dense": dense_batch(base, rows[:1]),
        "one row, a hot task": lambda: one.run(single),
        "one row, a cold task": lambda: few.run(rows[:1]),
    }


def dense_batch(base: Path, rows: Sequence[PreparedRow]) -> Callable[[], Any]:
    """The plain model under the weights of one task."""
    loaded = load_base(base)
    model = build_model(loaded.config, TASK.num_outputs)
    params, apply = with_head(loaded.params, model, jax.random.key(0)), jax.jit(model.apply)
    inputs = _inputs([row.tokenized.sequences[0] for row in rows])
    return lambda: np.asarray(apply(params, inputs))


def _merged(base: Path, files: Sequence[Path], rows: Sequence[PreparedRow]) -> Callable[[], Any]:
    """Each task's weights made by one program, then its row run by another."""
    loaded = load_base(base)
    model = build_model(loaded.config, TASK.num_outputs)
    params, apply = with_head(loaded.params, model, jax.random.key(0)), jax.jit(model.apply)
    packed = [load_task_file(file) for file in files[: len(rows)]]
    tasks = [
        jax.device_put(({p: m.bits for p, m in one.masks.items()}, one.delta.weights))
        for one in packed
    ]
    shapes = {path: mask.shape for path, mask in packed[0].masks.items()}

    @jax.jit
    def materialize(params: Any, bits: Any, weights: Any) -> Any:
        masks = {path: _unpacked(bits[path], shape) for path, shape in shapes.items()}
        return Delta.of(weights=weights, masks=masks).apply(params)

    inputs = [_inputs([row.tokenized.sequences[0]]) for row in rows]

    def run() -> None:
        for task, each in zip(tasks, inputs, strict=True):
            np.asarray(apply(materialize(params, *task), each))

    return run


def _unpacked(bits: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    return jnp.unpackbits(bits, bitorder="little").reshape(shape).astype(bool)


def _inputs(tokens: Sequence[Tokens]) -> dict[str, np.ndarray]:
    group = Group(None, TOKENS, len(tokens), tuple(range(len(tokens))))
    return collate(group, tokens, 0)


if __name__ == "__main__":
    tyro.cli(main)
