"""Two processes that train together, as two hosts would, against one process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import pytest

from maskjax.config import (
    AdaptationConfig,
    MeshConfig,
    OptimizerConfig,
    TrainConfig,
    config_to_dict,
)
from maskjax.errors import InputError
from maskjax.training import distributed, run
from maskjax.training.sharding import make_layout

COMMAND = "import sys; from maskjax.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def config(toy_config):
    """All leaves are sharded, keys matter, and the last batch has padding rows."""
    return toy_config(
        adaptation=AdaptationConfig(
            binarizer="bernoulli", initializer="uniform", sparsity=0.49, blocks=(1, 1)
        ),
        optimizer=OptimizerConfig(learning_rate=3e-2),
        train=TrainConfig(
            batch_size=20, epochs=12, buckets=(16,), eval_every=9, checkpoint_minutes=0.0
        ),
        mesh=MeshConfig(data=2, fsdp=True),
    )


class Pair:
    """Two processes with a device each; the first prints and writes."""

    def __init__(self, config, folder, words=((), ())):
        file = folder.with_suffix(".json")
        file.write_text(json.dumps(config_to_dict(config)))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        command = ["-c", COMMAND, "train", "--config", str(file), "--out", str(folder)]
        self.both = [
            subprocess.Popen(
                [sys.executable, *command, "--hosts", f"{process}/2@{address}", *more],
                env=os.environ | {"MASKJAX_COMPILE_CACHE": jax.config.jax_compilation_cache_dir},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for process, more in enumerate(words)
        ]

    def wait_for(self, word):
        """Waits until the first process prints the text."""
        assert any(word in line for line in self.both[0].stdout)

    def end(self):
        """Waits for both processes; returns exit codes and output."""
        said = [process.communicate(timeout=120)[0] for process in self.both]
        return [process.returncode for process in self.both], said


def saved(folder: Path) -> int:
    names = [path.name for path in (folder / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdecimal()), default=0)


def numbers(folder: Path) -> list:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    names = ("step", "loss", "gradient_norm", "score", "mask_flips_initial")
    return [[line.get(name) for name in names] for line in lines]


@pytest.mark.slow
def test_two_processes_equal_one_run_after_stop_or_kill(config, tmp_path):
    """SIGTERM to one stops both at the same step; when one is killed, both are started again."""
    run(config, tmp_path / "one")
    assert numbers(tmp_path / "one")[-1][-1] > 0.05
    out = tmp_path / "two"

    pair = Pair(config, out)
    pair.wait_for("devices   2 x cpu (cpu) of 2 hosts")
    pair.both[1].send_signal(signal.SIGTERM)
    codes, said = pair.end()
    step = saved(out)
    assert codes == [128 + signal.SIGTERM] * 2
    assert all(f"stopped: saved at step {step}; the same command" in text for text in said)

    pair = Pair(config, out)
    pair.wait_for(f"resumes from step {step}")
    while saved(out) == step:
        time.sleep(0.01)
    for process in reversed(pair.both):  # JAX would end the first too, but after 100 seconds
        process.kill()
    pair.end()

    codes, said = Pair(config, out).end()
    assert codes == [0, 0]
    assert "resumes from step" in said[0]
    assert said[1].count("\n") <= 1  # gloo's own line
    files = [folder / "task.safetensors" for folder in (tmp_path / "one", out)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert numbers(out) == numbers(tmp_path / "one")
    names = {"config.json", "metrics.jsonl", "tensorboard", "task.safetensors", "result.json"}
    assert {path.name for path in out.iterdir()} == names


@pytest.mark.slow
def test_hosts_with_different_settings_all_stop(config, tmp_path):
    alone = Pair(config, tmp_path / "a", [("--task.path", "nowhere"), ()])
    other = Pair(config, tmp_path / "b", [(), ("--train.seed", "1")])
    codes, said = alone.end()
    assert codes == [2, 2]
    assert "nowhere" in said[0]
    assert "process 0 cannot continue; it says why" in said[1]
    codes, said = other.end()
    assert codes == [2, 2]
    assert all("process 1 has other settings than process 0" in text for text in said)
    assert not list(tmp_path.glob("*/"))


@pytest.mark.parametrize("words", ["", "2/2@10.0.0.1:80", "0/2@10.0.0.1", "0@10.0.0.1:80"])
def test_hosts_that_name_no_process_are_refused(words):
    with pytest.raises(
        InputError, match="--hosts: expected auto or PROCESS/PROCESSES@ADDRESS:PORT"
    ):
        distributed.join(words)


def test_hosts_must_use_all_devices_and_name_each_other(toy_config, tmp_path, monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    with pytest.raises(InputError, match=r"2 hosts share all of their 4 devices, got data 2 x"):
        make_layout(toy_config(mesh=MeshConfig(data=2)))
    assert make_layout(toy_config(mesh=MeshConfig(data=-1))).mesh is not None
    with pytest.raises(InputError, match="one of 2 hosts of a slice: set --hosts auto"):
        distributed.run_folder(tmp_path / "run").__enter__()
