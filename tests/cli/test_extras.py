"""A missing extra is one line with its pip command, before anything is loaded or written."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from maskjax.cli.main import STUDIES, main

SWEEPS = ("sparsity", "layers")
COMMANDS = [
    ("matplotlib", "demo", ["demo"]),
    ("matplotlib", "analysis", ["report", "x"]),
    *(
        ("matplotlib", "analysis", ["analyze", study, *([] if study in SWEEPS else ["x"])])
        for study in STUDIES
    ),
    ("psutil", "analysis", ["memory"]),
    ("matplotlib", "analysis", ["memory"]),
    ("starlette", "serve", ["serve", "--base", "x", "--tasks", "x"]),
    ("uvicorn", "serve", ["serve", "--base", "x", "--tasks", "x"]),
    ("prometheus_client", "serve", ["serve", "--base", "x", "--tasks", "x"]),
    ("torch", "onnx", ["export", "x", "--to", "onnx"]),
    ("onnx", "onnx", ["export", "x", "--to", "onnx"]),
    ("onnxscript", "onnx", ["export", "x", "--to", "onnx"]),
    ("matplotlib", "analysis", ["info", "x"]),
]
NAMES = {"prometheus_client": "prometheus-client", "torch": "PyTorch"}
WITH_OTHER_OUTPUT = {"info": ["--picture", "out.png"], "serve": []}


def complete(words):
    """The words with a place to write to."""
    return [*words, *WITH_OTHER_OUTPUT.get(words[0], ["--out", "out"])]


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """The current folder, with a file that only `import` reads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.pt").write_bytes(b"")
    return tmp_path


@pytest.fixture
def hide(monkeypatch):
    """Makes a package look as if it were not installed."""
    find_spec = importlib.util.find_spec

    def hide(module):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == module else find_spec(name)
        )

    return hide


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize(("module", "extra", "words"), COMMANDS)
def test_a_missing_package_is_named_before_any_work(module, extra, words, hide, capsys):
    hide(module)
    assert main(complete(words)) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.count("\n") == 1
    # Other packages of the extra may be missing where the tests run; the line names them too.
    assert NAMES.get(module, module) in error
    assert error.endswith(f'; pip install "maskjax[{extra}]"\n')
    assert [path.name for path in Path().iterdir()] == ["x.pt"]


@pytest.mark.parametrize("option", ["--train.seeds=1", "--train.seeds=2"])
def test_checkpoints_in_a_bucket_need_gcsfs(option, empty_folder, hide, capsys):
    hide("gcsfs")
    assert main(["train", "--train.checkpoints", "gs://b/c", option, "--out", "out"]) == 2
    expected = '--train.checkpoints gs://b/c needs gcsfs; pip install "gcsfs"\n'
    assert capsys.readouterr().err == f"error: {expected}"
    assert not (empty_folder / "out").exists()


def test_compiled_programs_in_a_bucket_need_gcsfs(hide, monkeypatch, capsys):
    hide("gcsfs")
    monkeypatch.setenv("MASKJAX_COMPILE_CACHE", "gs://b/c")
    assert main(["tasks"]) == 2
    assert "MASKJAX_COMPILE_CACHE=gs://b/c needs gcsfs" in capsys.readouterr().err


def test_help_needs_no_extra():
    """None in `sys.modules` makes an import fail as if there were no such package."""
    program = """
import sys
missing = "matplotlib psutil starlette uvicorn prometheus_client onnx onnxscript gcsfs"
sys.modules |= dict.fromkeys(missing.split())
from maskjax.cli.main import main
for command in ("demo", "memory", "serve", "report", "export", "import", "info"):
    try:
        main([command, "--help"])
    except SystemExit as end:
        assert end.code == 0
assert main(["tasks"]) == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
