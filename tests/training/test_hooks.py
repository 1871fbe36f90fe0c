"""Hooks of a user: what they see, what they add to the log, and that they resume."""

import json
import signal

import jax
import numpy as np
import pytest

from maskjax.config import TrainConfig
from maskjax.training import Hook, StoppedError, fit, prepare, run, run_seeds
from maskjax.training.hooks import Sigterm


class ScoreNorm(Hook):
    """Logs the norm of the scores and counts its calls, which checkpoints keep."""

    def init(self, training):
        return 0

    def begin(self, training):
        self.begun_at = training.step

    def __call__(self, training):
        self.state += 1
        assert self.state == training.step
        for seed, numbers in enumerate(training.numbers):
            if "score" in numbers:
                leaves = jax.tree.leaves(training.trainable(seed)["scores"])
                numbers["score_norm"] = float(sum(np.square(leaf).sum() for leaf in leaves))


def logged(folder, name):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {line["step"]: line[name] for line in lines if name in line}


def test_numbers_of_a_hook_are_written_for_every_seed(toy_config, tmp_path):
    config = toy_config(train=TrainConfig(batch_size=16, epochs=1, buckets=(16,), seeds=2))
    run_seeds(config, tmp_path / "run", hooks=[ScoreNorm()])
    norms = [logged(tmp_path / "run" / f"seed-{seed}", "score_norm") for seed in (0, 1)]
    assert [list(found) for found in norms] == [[3, 6], [3, 6]]
    assert all(norm > 0 for found in norms for norm in found.values())
    assert norms[0] != norms[1]


def test_state_of_a_hook_resumes(toy_config, tmp_path, sigterm_at):
    config = toy_config(train=TrainConfig(batch_size=16, epochs=1, buckets=(16,)))
    first, second = ScoreNorm(), ScoreNorm()
    with pytest.raises(StoppedError, match="saved at step 2"):
        run(config, tmp_path / "run", hooks=[first, sigterm_at(2)])
    run(config, tmp_path / "run", hooks=[second, sigterm_at()])
    assert (first.begun_at, first.state) == (0, 2)
    assert (second.begun_at, second.state) == (2, 6)


def test_a_hook_ends_the_training(toy_config):
    class Stop(Hook):
        def __call__(self, training):
            if training.numbers[0].get("score", 0) > 0:
                training.stop()

    result = fit(prepare(toy_config()), [Stop()])
    assert (result.step, result.steps) == (3, 3)
    assert result.score > 0


def test_sigterm_is_handled_as_before_after_the_block():
    before = signal.getsignal(signal.SIGTERM)
    with Sigterm() as sigterm:
        assert not sigterm.stops(1)
        signal.raise_signal(signal.SIGTERM)
        assert sigterm.stops(2)
    assert signal.getsignal(signal.SIGTERM) == before
