"""What checkpoints cost: the seconds until a killed run resumes, and how long saving stops a run.

    python -m benchmarks.resume                            # MiniLM, 40 steps of 32 x 64, 5 saves
    python -m benchmarks.resume --steps 200 --saves 1

A run trains on the docstrings of installed packages, which need no network. It is stopped after its
last step by SIGTERM, and the same command resumes from there in the same process, so that what is
printed comes on top of starting Python and importing. `stall` is the time that the loop spends on
deciding, copying and handing over to the thread that writes, as a share of the run; compiling is
left out, and with it the first save. `next` is how much longer than the median step the steps took
while that thread wrote.
"""

import json
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import tyro
from rich.console import Console

from maskjax.config import Config, ModelConfig, OptimizerConfig, TaskConfig, TrainConfig
from maskjax.models.minilm import minilm_folder
from maskjax.training import Hook, StoppedError, Training, run
from maskjax.training.checkpoint import Checkpoints

NAMES = ("step", "due", "save", "writing", "restore")


class Watch(Hook):
    """Times the loop, as a hook and by the methods of checkpoints.

    Args:
        saves: A checkpoint is due every `steps // saves` steps.
        steps: SIGTERM comes in this one.
    """

    def __init__(self, saves: int, steps: int) -> None:
        self._every, self._last = max(steps // saves, 1), steps
        self._save, self._due = Checkpoints.save, Checkpoints.due
        self._restore = Checkpoints.restore
        self.done, self.begun, self.first = 0, 0.0, 0.0
        self.times: dict[str, list[float]] = {name: [] for name in NAMES}

    def begin(self, training: Training) -> None:
        """Notes when the first step begins."""
        self.begun = time.perf_counter()

    def __call__(self, training: Training) -> None:
        """Notes when a step is done; the next one begins when the checkpoints are dealt with."""
        training.state.step.block_until_ready()
        self.times["step"].append(time.perf_counter() - self.begun)
        self.first = self.first or time.perf_counter()
        self.done = training.step
        if training.step == self._last:
            signal.raise_signal(signal.SIGTERM)

    def due(self, checkpoints: Checkpoints, best: bool) -> bool:
        """`Checkpoints.due`, which notes whether one is being written."""
        start = time.perf_counter()
        free = self._due(checkpoints, best=True)
        self.begun = time.perf_counter()
        self.times["due"].append(self.begun - start)
        if not free:
            self.times["writing"].append(self.times["step"][-1])
        return free and (best or self.done % self._every == 0)

    def save(self, checkpoints: Checkpoints, step: int, state: Any) -> None:
        """`Checkpoints.save`."""
        start = time.perf_counter()
        self._save(checkpoints, step, state)
        self.begun = time.perf_counter()
        self.times["save"].append(self.begun - start)

    def restore(self, checkpoints: Checkpoints, like: Any) -> Any:
        """`Checkpoints.restore`."""
        start = time.perf_counter()
        state = self._restore(checkpoints, like)
        self.times["restore"].append(time.perf_counter() - start)
        return state

    def train(self, config: Config, folder: Path) -> float:
        """Trains until SIGTERM.

        Returns:
            The seconds from the call to the end of the first step, which is compiled in it.
        """
        start = time.perf_counter()
        names = {"due": self.due, "save": self.save, "restore": self.restore}
        with patch.multiple(Checkpoints, **_methods(names)):
            try:
                run(config, folder, console=Console(), hooks=[self])
            except StoppedError as stopped:
                Console().print(f"stopped: {stopped}", highlight=False)
        return self.first - start


def _methods(functions: dict[str, Any]) -> dict[str, Any]:
    """Bound methods are no descriptors, so a class would not hand itself on to them."""
    return {
        name: lambda *args, _call=function, **options: _call(*args, **options)
        for name, function in functions.items()
    }


def main(*, steps: int = 40, saves: int = 5, out: Path | None = None) -> None:
    """Prints the two numbers and what they are made of.

    Args:
        steps: The steps of the run that is stopped; it makes 10 more when it resumes.
        saves: Checkpoints in it, evenly spaced.
        out: A JSON file for the numbers.
    """
    config = Config(
        model=ModelConfig(base=str(minilm_folder()), offline=True),
        task=TaskConfig(max_length=64),
        optimizer=OptimizerConfig(learning_rate=3e-3),
        train=TrainConfig(buckets=(64,), eval_every=10**6, checkpoint_minutes=None),
    )
    with tempfile.TemporaryDirectory() as folder:
        before, after = Watch(saves, steps), Watch(1, steps + 10)
        fresh = before.train(config, Path(folder) / "run")
        again = after.train(config, Path(folder) / "run")
        kept = Path(folder) / "run" / "checkpoints" / str(steps + 10)
        size = sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())
    found = _numbers(before, fresh, again) | {
        "restore_seconds": after.times["restore"][0],
        "checkpoint_bytes": size,
    }
    for name, value in found.items():
        Console().print(f"{name:24} {value:,.4g}", highlight=False)
    if out:
        out.write_text(json.dumps(found, indent=2))


def _numbers(watch: Watch, fresh: float, again: float) -> dict[str, float]:
    steps, saves = watch.times["step"][1:], watch.times["save"][1:]
    stall = sum(saves) + sum(watch.times["due"])
    median = statistics.median(steps)
    slower = sum(max(seconds - median, 0) for seconds in watch.times["writing"])
    whole = sum(steps) + stall
    return {
        "resume_seconds": again,
        "fresh_start_seconds": fresh,
        "step_seconds": median,
        "stall_share": stall / whole,
        "next_share": slower / whole,
        "longest_stall_seconds": max(saves),
        "first_save_seconds": watch.times["save"][0],
    }


if __name__ == "__main__":
    tyro.cli(main)
