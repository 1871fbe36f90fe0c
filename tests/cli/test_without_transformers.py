"""Training, predictions and the server do not import transformers if tokenizer.json suffices."""

import shutil
import subprocess
import sys

import pytest

from maskjax.config import AdaptationConfig
from maskjax.tasks import Task
from maskjax.tasks.tokenizer_convert import load_with_transformers

PROGRAM = """
import os, signal, socket, sys, threading, time, urllib.request

sys.modules["transformers"] = None
from maskjax.cli.main import main

base, rows, out, run = sys.argv[1:]
assert main(["predict", run, "--text", "a good film"]) == 0
assert "torch" not in sys.modules  # tensorboardX imports it in training
task = ["--task.path", rows, "--task.max-length", "16"]
sizes = ["--train.batch-size", "16", "--train.epochs", "1", "--train.buckets", "16"]
assert main(["train", "--model.base", base, *task, *sizes, "--out", out + "/run"]) == 0

def ask(port):
    url = f"http://127.0.0.1:{port}/models/run"
    request = urllib.request.Request(url, b'{"inputs": "a good film"}')
    while True:
        try:
            print("answer", urllib.request.urlopen(request).read().decode(), flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        except OSError:
            time.sleep(0.1)

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
threading.Thread(target=ask, args=[port], daemon=True).start()
main(["serve", "--base", base, "--tasks", out, "--offline", "--no-warm-up", "--port", str(port)])
"""


@pytest.mark.slow
def test_tokenizer_json_needs_no_transformers(toy_base, toy_rows, write_run, tmp_path):
    base = shutil.copytree(toy_base, tmp_path / "base")
    load_with_transformers(base).save_pretrained(base)
    (base / "vocab.txt").unlink()
    run = write_run(
        base, Task(name="toy", labels=("no", "yes")), AdaptationConfig(), tmp_path / "run"
    )
    (tmp_path / "out").mkdir()
    paths = (base, toy_rows, tmp_path / "out", run)
    command = [sys.executable, "-c", PROGRAM, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "answer [{" in done.stdout.replace("[[", "["), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
