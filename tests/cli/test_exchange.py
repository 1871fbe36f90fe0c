"""`maskjax export` and `maskjax import` as a person gives them."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from maskjax.cli.main import main
from maskjax.masking import unpack_bits
from maskjax.taskfile import find_task_file, load_task_file


@pytest.fixture(scope="module")
def finished(tmp_path_factory, toy_base, toy_rows):
    folder = tmp_path_factory.mktemp("finished") / "run"
    words = ["--model.base", str(toy_base), "--task.name", "toy", "--task.path", str(toy_rows)]
    words += ["--task.text", "text", "--task.label", "label", "--task.max-length", "16"]
    words += ["--train.epochs", "1", "--train.buckets", "16", "--adaptation.start", "uniform"]
    assert main(["train", *words, "--out", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("form", ["hf", "torch-masks"])
def test_export_lists_what_it_wrote_and_never_overwrites(form, finished, tmp_path, capsys):
    words = ["export", str(finished), "--to", form, "--out", str(tmp_path / "out")]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert all(file.name in shown for file in (tmp_path / "out").iterdir())
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()}
    assert main(words) == 2
    assert "not empty" in capsys.readouterr().err
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "out").iterdir()}


def write_state(finished, tmp_path):
    """The reference code's state dict of the same run, made of its two exports."""
    for form in ("hf", "torch-masks"):
        assert main(["export", str(finished), "--to", form, "--out", str(tmp_path / form)]) == 0
    state = load_file(tmp_path / "hf" / "model.safetensors")
    state |= load_file(tmp_path / "torch-masks" / "weights.safetensors")
    for name, packed in load_file(tmp_path / "torch-masks" / "masks.safetensors").items():
        scores = np.where(unpack_bits(packed, state[name].shape), 0.02, 0.005)
        state[f"{name}_mask"] = scores.astype(np.float32)
    return state


def test_import_gives_the_run_back(finished, toy_base, toy_rows, tmp_path, capsys):
    state, file = write_state(finished, tmp_path), tmp_path / "best.safetensors"
    base = load_file(toy_base / "model.safetensors")
    state |= {f"bert.{name}": tensor for name, tensor in base.items()}
    save_file(state, file)
    words = ["import", str(file), "--out", str(tmp_path / "run"), "--model.base", str(toy_base)]
    words += ["--task.path", str(toy_rows), "--task.labels", "negative", "positive"]
    capsys.readouterr()
    assert main(words) == 0
    assert "dropped" in capsys.readouterr().out
    ours, theirs = (load_task_file(find_task_file(f)) for f in (finished, tmp_path / "run"))
    assert ours.frozen.keys() == theirs.frozen.keys()
    for sort, leaves in ours.frozen.items():
        assert leaves.keys() == theirs.frozen[sort].keys()
        for path, leaf in leaves.items():
            np.testing.assert_array_equal(leaf, theirs.frozen[sort][path])
    for command in (["evaluate"], ["info"], ["predict", "--text", "good film"]):
        assert main([command[0], str(tmp_path / "run"), *command[1:]]) == 0


def test_import_of_another_base_is_refused_unless_asked_for(finished, toy_base, tmp_path, capsys):
    file, out = tmp_path / "best.safetensors", tmp_path / "run"
    save_file(write_state(finished, tmp_path), file)  # with merged weights
    words = ["import", str(file), "--out", str(out), "--model.base", str(toy_base)]
    capsys.readouterr()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "differ from those of" in error
    assert error.count("\n") == 1
    assert not out.exists()
    assert main([*words, "--keep-weights"]) == 0
    assert "arrays differ from the base" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["export", "RUN/none", "--to", "hf", "--out", "OUT"], "none"),
        (["import", "RUN/none.pt", "--out", "OUT"], "none.pt"),
        (["import", "RUN/task.safetensors", "--out", "OUT", "--model.base", "BASE"], "no head"),
    ],
)
def test_bad_use(words, named, finished, toy_base, tmp_path, capsys):  # noqa: PLR0917
    places = {"RUN": str(finished), "OUT": str(tmp_path / "out"), "BASE": str(toy_base)}
    for short, place in places.items():
        words = [word.replace(short, place) for word in words]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
