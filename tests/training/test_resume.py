"""A killed run that resumes gives the same as an uninterrupted one; other folders are refused."""

import errno
import gc
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from maskjax.config import AdaptationConfig, OptimizerConfig, TrainConfig, config_to_dict
from maskjax.errors import InputError
from maskjax.training import StoppedError, run, run_seeds
from maskjax.training.checkpoint import Checkpoints, _delete
from maskjax.training.run_dir import claim_folder

COMMAND = "import sys; from maskjax.cli.main import main; sys.exit(main(sys.argv[1:]))"
TIMES = {"seconds", "examples_per_second", "input_wait"}


def noisy(toy_config, **settings):
    """A run whose keys matter, since masks are sampled, and whose head has its own rate."""
    train = {"batch_size": 16, "epochs": 9, "buckets": (16,), "eval_every": 7}
    return toy_config(
        adaptation=AdaptationConfig(
            binarizer="bernoulli",
            initializer="uniform",
            sparsity=0.49,
            head="trained",
            blocks=(1, 1),
        ),
        optimizer=OptimizerConfig(
            learning_rate=3e-2, schedule="restarts", cycles=2, head_learning_rate=1e-3
        ),
        train=TrainConfig(**{**train, "checkpoint_minutes": 0.0, **settings}),
    )


def start(config, folder: Path) -> subprocess.Popen:
    """Starts a process that trains."""
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(config_to_dict(config)))
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "train", "--config", str(file), "--out", str(folder)],
        env=os.environ | cache,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def steps_saved(folder: Path) -> list[int]:
    names = [path.name for path in (folder / "checkpoints").glob("*")]
    return sorted(int(name) for name in names if name.isdecimal())


def wait_for_checkpoint(folder: Path, step: int, process: subprocess.Popen) -> None:
    while max(steps_saved(folder), default=-1) < step:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def same_results(here: Path, there: Path) -> None:
    """Task files byte for byte, and every number but times."""
    files = sorted(path.relative_to(there) for path in there.rglob("*.safetensors"))
    assert files == sorted(path.relative_to(here) for path in here.rglob("*.safetensors"))
    for file in files:
        assert (here / file).read_bytes() == (there / file).read_bytes()
    lines = [(f / "metrics.jsonl").read_text().splitlines() for f in (here, there)]
    values = [
        [{n: v for n, v in json.loads(line).items() if n not in TIMES} for line in some]
        for some in lines
    ]
    assert values[0] == values[1]
    assert {path.name for path in here.iterdir()} == {path.name for path in there.iterdir()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The uninterrupted run, made once for all tests."""
    folder = tmp_path_factory.mktemp("alone") / "run"

    def make(config):
        if not folder.exists():
            run(config, folder)
        return folder

    return make


def test_resume_after_kill_equals_the_uninterrupted_run(toy_config, alone, tmp_path):
    config = noisy(toy_config)
    with start(config, tmp_path / "run") as process:
        wait_for_checkpoint(tmp_path / "run", random.Random(0).randint(2, 6), process)
        with pytest.raises(InputError, match=f"process {process.pid} on .* is writing here"):
            run(config, tmp_path / "run")
        process.kill()
    assert not (tmp_path / "run" / "result.json").exists(), "it was too quick to be killed"
    with pytest.raises(InputError, match=r"settings \(train.epochs: 9 there, 8 now\)"):
        run(replace(config, train=replace(config.train, epochs=8)), tmp_path / "run")
    console = Console(file=io.StringIO(), width=1000)
    step = steps_saved(tmp_path / "run")[-1]
    run(config, tmp_path / "run", console=console)
    assert (
        f"resumes from step {step}: {tmp_path / 'run' / 'checkpoints'}" in console.file.getvalue()
    )
    same_results(tmp_path / "run", alone(config))


@pytest.mark.slow
def test_sigterm_saves_the_step_that_was_reached(toy_config, alone, tmp_path):
    config = noisy(toy_config)
    with start(config, tmp_path / "run") as process:
        wait_for_checkpoint(tmp_path / "run", 1, process)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    saved = steps_saved(tmp_path / "run")
    assert f"stopped: saved at step {saved[-1]}; the same command" in said
    assert len(saved) <= 2
    run(config, tmp_path / "run")
    same_results(tmp_path / "run", alone(config))


@pytest.mark.slow
def test_several_seeds_resume_together(toy_config, tmp_path, sigterm_at):
    """SIGTERM comes in the middle of a window of losses, while patience is being counted."""
    config = noisy(
        toy_config,
        epochs=3,
        seeds=2,
        eval_every=4,
        patience=3,
        checkpoint_minutes=None,
        dropout=0.0,
    )
    run_seeds(config, tmp_path / "alone")
    with pytest.raises(StoppedError, match="saved at step 9"):
        run_seeds(config, tmp_path / "all", hooks=[sigterm_at(9)])
    run_seeds(config, tmp_path / "all")
    for seed in ("seed-0", "seed-1"):
        same_results(tmp_path / "all" / seed, tmp_path / "alone" / seed)


STATE = {
    "scores": jnp.linspace(0, 1, 30_000).reshape(100, 300),
    "half": jnp.ones(3, jnp.bfloat16),
    "none": jnp.zeros((0, 2)),
    "key": jax.random.key(3),
    "best": np.array([-np.inf]),
    "step": 3,
}


def places(folder, messages=None, **settings):
    tell = (messages if messages is not None else []).append
    return Checkpoints(str(folder), settings or {"seed": 0}, None, tell)


def at(step):
    return {**STATE, "scores": STATE["scores"] + step, "step": step}


def test_state_is_restored_on_other_devices_and_two_are_kept(tmp_path):
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.NamedSharding(mesh, jax.P("data"))
    with places(tmp_path / "all") as checkpoints:
        assert checkpoints.restore(STATE) is None
        for step in (1, 2, 3):
            checkpoints.save(step, at(step))
            assert not checkpoints.due(best=False)
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"2", "3"}
    like = {**STATE, "scores": jax.device_put(STATE["scores"], spread)}
    with places(tmp_path / "all") as checkpoints:
        state = checkpoints.restore(like)
        with pytest.raises(InputError, match="seed: 0 there, 1 now"):
            places(tmp_path / "all", seed=1).restore(STATE)
        checkpoints.remove()
    assert state["scores"].sharding == spread
    assert jax.random.key_data(state.pop("key")).tolist() == [0, 3]
    expected = at(3)
    for name, value in state.items():
        assert type(value) is type(expected[name])
        np.testing.assert_array_equal(value, expected[name])
    assert not (tmp_path / "all").exists()


def save_now(checkpoints, state):
    checkpoints.save(state["step"], state)
    checkpoints.wait()


def damage_all(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def damage_one_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [damage_all, damage_one_bit, Path.unlink])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, damage):
    with places(tmp_path) as checkpoints:
        checkpoints.save(5, at(5))
        checkpoints.save(6, at(6))
    files = [path for path in (tmp_path / "6").rglob("*") if path.is_file()]
    damage(max(files, key=lambda path: path.stat().st_size))  # the one with the scores
    messages = []
    with places(tmp_path, messages) as checkpoints:
        state = checkpoints.restore(STATE)
        assert state["step"] == 5
        np.testing.assert_array_equal(state["scores"], at(5)["scores"])
        assert messages[0].startswith("the checkpoint of step 6 is damaged")
        assert messages[1].startswith("resumes from step 5")
        checkpoints.save(6, at(6))
    for path in (tmp_path / "5").rglob("d/*"):
        path.unlink()
    for path in (tmp_path / "6").rglob("d/*"):
        path.unlink()
    with places(tmp_path) as checkpoints, pytest.raises(InputError, match="no checkpoint is whole"):
        checkpoints.restore(STATE)


def test_full_disk_is_a_one_line_error_without_partial_files(tmp_path, caplog):
    """A limit on the size of files acts like a full disk."""
    import resource

    with places(tmp_path) as checkpoints:
        checkpoints.save(1, at(1))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    checkpoints = places(tmp_path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
        with pytest.raises(
            InputError, match="no checkpoint can be written: File too large"
        ) as caught:
            save_now(checkpoints, {**at(2), "more": [jnp.ones(20_000) * n for n in range(40)]})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"1"}
    assert checkpoints.restore(STATE)["step"] == 1
    gc.collect()  # asyncio logs an exception that was never retrieved when its future is collected
    assert not [record for record in caplog.records if record.name == "asyncio"]


class Busy:
    """A folder that others still write to during the first deletions."""

    def __init__(self, *numbers):
        self._numbers, self.there = list(numbers), True

    def exists(self):
        return self.there

    def rmtree(self):
        if self._numbers:
            raise OSError(self._numbers.pop(0), "cannot be deleted")
        self.there = False


def test_partial_checkpoint_is_deleted_while_others_write():
    busy = Busy(errno.ENOTEMPTY, errno.ENOENT, errno.ENOTEMPTY)
    _delete(busy)
    assert not busy.there
    with pytest.raises(OSError, match="cannot be deleted"):
        _delete(Busy(errno.EACCES))


def test_unwritable_folder_is_a_one_line_error(toy_config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/run: cannot be written"):
        run(toy_config(), tmp_path / "file" / "run")
    with pytest.raises(InputError, match="file/all: no checkpoint can be written"):
        places(tmp_path / "file" / "all")


def test_lock_of_a_dead_process_is_ignored(tmp_path):
    (tmp_path / "run.lock").write_text("process 1 on another machine")
    with claim_folder(tmp_path):
        refused = pytest.raises(InputError, match=f"process {os.getpid()} on .* is writing here")
        with refused, claim_folder(tmp_path):
            pass
    assert not (tmp_path / "run.lock").exists()
