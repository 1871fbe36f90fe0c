"""Two processes that train together, as two hosts would, against one process."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from maskjax.config import AdaptationConfig, MeshConfig, OptimizerConfig, TrainConfig
from maskjax.config import config_to_dict
from maskjax.errors import InputError
from maskjax.training import hosts, run

COMMAND = "import sys; from maskjax.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def config(toy_config):
    """Everything divided, keys that matter, and rows that only fill the last batch up."""
    return toy_config(
        adaptation=AdaptationConfig(binarizer="bernoulli", start="uniform", blocks=(1, 1)),
        optimizer=OptimizerConfig(learning_rate=1e-2),
        train=TrainConfig(
            batch_size=20, epochs=12, buckets=(16,), dropout=0.1, eval_every=9, checkpoint_minutes=0.0
        ),
        mesh=MeshConfig(data=2, fsdp=True),
    )


def start(config, folder: Path, words: list[str]) -> list[subprocess.Popen]:
    """Two processes with one device each."""
    file = folder.with_suffix(".json")
    file.write_text(json.dumps(config_to_dict(config)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-c", COMMAND, "train", "--config", str(file), "--out", str(folder)]
    return [
        subprocess.Popen(
            [*command, "--hosts", f"{process}/2@{address}", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for process in range(2)
    ]


def test_x(config, tmp_path):
    t=time.time()
    run(config, tmp_path / "one")
    print(time.time()-t)
    ps = start(config, tmp_path / "two", [])
    for p in ps:
        print(p.communicate()[0][-3000:])
        print(p.returncode)
    print(time.time()-t)
    a,b=[ (tmp_path/n/"task.safetensors").read_bytes() for n in ("one","two")]
    print(a==b)
    print(*[(tmp_path/n/"metrics.jsonl").read_text()[-1000:] for n in ("one","two")],sep="\n")
    print(list((tmp_path/"two").rglob("*")))
