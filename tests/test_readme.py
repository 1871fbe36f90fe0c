"""The README does what it says: its Python runs, and so do its commands, on few rows."""

import re
import shlex
from pathlib import Path

import jax
import pytest

from maskjax.cli.main import main
from maskjax.models.minilm import minilm_folder

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf8")
FEW = ["--task.train-rows", "64", "--train.epochs", "1", "--task.max-length", "16"]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_python_drops_the_weights_that_are_of_no_use(capsys):
    code = next(code for code in blocks("python") if "threshold_mask" in code)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        exec(compile(code, "README.md", "exec"), {})
    kept = capsys.readouterr().out.split("[")[-1]
    assert re.findall("True|False", kept)[4:] == ["False"] * 4


def test_commands(tmp_path, monkeypatch, capsys):
    try:
        minilm_folder()
    except Exception as error:
        pytest.skip(str(error))
    (commands,) = blocks("bash")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    with jax.numpy_dtype_promotion("standard"):
        for line in commands.splitlines():
            assert run(line) == 0, f"{line}: {capsys.readouterr().err}"
        code = next(code for code in blocks("python") if "Predictor" in code)
        exec(compile(code, "README.md", "exec"), {})
    assert "label" in capsys.readouterr().out


def run(line):
    words = shlex.split(line)
    if words[:2] == ["python", "train.py"]:
        return main(["train", *words[2:], *FEW])
    assert words[0] == "maskjax"
    return main(words[1:])


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_every_make_target_exists():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"make (demo|test|lint|types|bench)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
