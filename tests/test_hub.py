"""A small run with a model and rows from the Hugging Face Hub itself: `make hub`.

All other tests have HF_HUB_OFFLINE set. The commands here run in processes without it and with a
cache of their own, so that nothing on this machine stands in for the Hub.
"""

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.hub

BASE = "sentence-transformers-testing/stsb-bert-tiny-safetensors"
"""A BERT of two blocks, 128 wide: 17 MB."""
COMMAND = "import sys; from maskjax.cli.main import main; sys.exit(main())"
FEW = ("--task.train-rows", "64", "--task.eval-rows", "32", "--task.max-length", "32")


@pytest.fixture(scope="module")
def maskjax(tmp_path_factory):
    """Runs a command online with empty caches that all commands of this module share."""
    folder = tmp_path_factory.mktemp("hub")
    online = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    own = {"HF_HOME": str(folder / "hf"), "MASKJAX_CACHE": str(folder / "maskjax")}

    def run(*words):
        result = subprocess.run(
            [sys.executable, "-c", COMMAND, *words],
            cwd=folder,
            env=online | own,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    run.folder = folder
    return run


def test_run_from_the_hub_is_evaluated_offline(maskjax):
    options = ("--model.base", BASE, *FEW, "--train.epochs", "1", "--train.buckets", "32")
    maskjax("train", "--config", "tasks:rte", *options, "--out", "run")
    maskjax("evaluate", "run", "--offline", "--split", "dev", "--output", "scores.json")
    result, scores = (
        json.loads((maskjax.folder / name).read_text())
        for name in ("run/result.json", "scores.json")
    )
    assert scores["splits"]["dev"]["rows"] == 32
    assert scores["splits"]["dev"]["scores"]["accuracy"] == result["scores"]["dev"]
