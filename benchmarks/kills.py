"""Kills a run at random moments, resumes it, and compares what it ends with.

    python -m benchmarks.kills                           # 100 kills of a short run
    python -m benchmarks.kills --base minilm --kills 5 --seed 1

Each run is a process of its own on a folder of its own. It gets `kill -9` at a moment drawn evenly
from the time between the first checkpoint's first byte and the end of a run that nothing happened
to, and the same command is then given again. It steps, evaluates every few steps, and saves
whenever the checkpoint before is written, so that a kill meets all three. A run that ends before
its moment is not counted and drawn again. Programs are compiled once, for all runs. Most of a run
is starting Python, so that the model is a small one of random weights by default.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from benchmarks.harness import Size
from benchmarks.random_base import write_random_base
from maskjax.config import (
    AdaptationConfig,
    Config,
    ModelConfig,
    OptimizerConfig,
    TaskConfig,
    TrainConfig,
    config_to_dict,
)
from maskjax.models.minilm import minilm_folder
from maskjax.taskfile import TASK_FILE
from maskjax.tasks import load_task
from maskjax.training.run_dir import RESULT_FILE

TINY = Size(2, 96, 384, rows=8)
TRAIN = Path(__file__).parents[1] / "train.py"


def short_run(folder: Path, base: Path) -> Config:
    """The run that is killed: every part of a run, in some seconds.

    Args:
        folder: Gets its rows, docstrings that would take seconds to collect each time.
        base: The model.

    Returns:
        Its configuration.
    """
    collected = load_task(TaskConfig(train_rows=128, eval_rows=32))
    folder.mkdir()
    for name, split in collected.splits.items():
        rows = zip(split.texts, split.labels, strict=True)
        lines = [{"text": text[0], "label": int(label)} for text, label in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return Config(
        model=ModelConfig(base=str(base), offline=True),
        task=TaskConfig(
            name="docstrings", path=str(folder), text=("text",), label="label", max_length=16
        ),
        adaptation=AdaptationConfig(blocks=(1, 1)),
        optimizer=OptimizerConfig(learning_rate=3e-3),
        train=TrainConfig(
            batch_size=8, epochs=2, buckets=(16,), eval_every=8, dropout=0.1, checkpoint_minutes=0.0
        ),
    )


class Runs:
    """Starts runs of one configuration.

    Args:
        folder: Gets a run folder for each.
        base: Their model.
    """

    def __init__(self, folder: Path, base: Path) -> None:
        self._folder = folder
        self._config = folder / "config.json"
        self._config.write_text(json.dumps(config_to_dict(short_run(folder / "rows", base))))
        self._environment = os.environ | {"MASKJAX_CACHE": str(folder / "tokens")}

    def place(self, name: str) -> Path:
        """The run folder of that name."""
        return self._folder / name

    def start(self, name: str) -> subprocess.Popen[str]:
        """Starts one, and waits for its first checkpoint to be begun."""
        checkpoints = self.place(name) / "checkpoints"
        process = subprocess.Popen(
            [sys.executable, TRAIN, "--config", self._config, "--out", self.place(name)],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        while not any(checkpoints.glob("*")) and process.poll() is None:
            time.sleep(0.005)
        return process

    def finish(self, name: str) -> tuple[str, float]:
        """Starts one and waits for its end: what it said, and the seconds since `start`."""
        process = self.start(name)
        start = time.perf_counter()
        said, _ = process.communicate()
        if process.returncode:
            Console().print(said, highlight=False, markup=False)
        return said, time.perf_counter() - start


def kill(runs: Runs, name: str, moment: float) -> str | None:
    """Kills a run.

    Args:
        runs: Starts it.
        name: The name of its folder.
        moment: Seconds after `start`.

    Returns:
        What it was at: `writing a checkpoint`, or `between checkpoints`, which is stepping and
        evaluating. None if it had ended before.
    """
    process = runs.start(name)
    time.sleep(moment)
    process.kill()
    process.communicate()
    if (runs.place(name) / RESULT_FILE).exists():
        return None
    half = list(runs.place(name).glob("checkpoints/*.orbax-checkpoint-tmp"))
    return "writing a checkpoint" if half else "between checkpoints"


def judge(said: str, folder: Path, expected: bytes) -> list[str]:
    """What became of a run that was killed.

    Args:
        said: What it said when it went on.
        folder: Its run folder.
        expected: The task file of the run that nothing happened to.

    Returns:
        The counts that it belongs to.
    """
    file = folder / TASK_FILE
    facts = {
        "gone on from a checkpoint": "resumes from step" in said,
        "begun again, nothing was saved yet": "resumes from step" not in said,
        "ended": file.exists(),
        "task files of the same bytes": file.exists() and file.read_bytes() == expected,
        "unreadable checkpoints": bool(re.search(r"is damaged|no checkpoint is whole", said)),
    }
    return [fact for fact, holds in facts.items() if holds]


def main(
    *,
    base: Literal["tiny", "minilm"] = "tiny",
    kills: int = 100,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Prints how many runs went on, and how many ended with the bytes of the unkilled run.

    Args:
        base: Two random blocks of 96, or the real MiniLM.
        kills: How many.
        seed: Draws the moments.
        out: A JSON file for the counts and the moments.
    """
    console, draw, counts = Console(), random.Random(seed), Counter[str]()
    moments: list[float] = []
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tiny = base == "tiny"
        model = write_random_base(TINY, Path(folder) / "base") if tiny else minilm_folder()
        runs = Runs(Path(folder), model)
        runs.finish("compiles")
        _, seconds = runs.finish("alone")
        expected = (runs.place("alone") / TASK_FILE).read_bytes()
        console.print(
            f"left alone it takes {seconds:.1f} s from its first checkpoint on", highlight=False
        )
        while counts["kills"] < kills:
            moment = draw.uniform(0, seconds)
            name = f"run-{len(moments)}"
            moments.append(moment)
            at = kill(runs, name, moment)
            if at is None:
                seconds = min(seconds, moment)  # the machine has become faster
                continue
            said, _ = runs.finish(name)
            found = judge(said, runs.place(name), expected)
            counts.update(["kills", f"kills while {at}", *found])
            console.print(f"{moment:5.2f} s, {at}: {', '.join(found)}", highlight=False)
    for name, count in sorted(counts.items()):
        console.print(f"{name:40} {count}", highlight=False)
    each = (time.perf_counter() - begun) / max(kills, 1)
    console.print(f"{'seconds a kill':40} {each:.1f}", highlight=False)
    if out:
        out.write_text(json.dumps({"counts": counts, "moments": moments, "seed": seed}, indent=2))


if __name__ == "__main__":
    tyro.cli(main)
