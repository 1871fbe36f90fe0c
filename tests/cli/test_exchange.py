"""`maskjax export` and `maskjax import` from the command line."""

import shutil

import chex
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from maskjax import Predictor
from maskjax.cli.main import main
from maskjax.errors import InputError
from maskjax.masking.packed import unpack_bits
from maskjax.taskfile import find_task_file, load_task_file

SHORT = ["--task.max-length", "16"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, toy_base, toy_rows):
    folder = tmp_path_factory.mktemp("finished") / "run"
    words = ["--model.base", str(toy_base), "--task.name", "toy", "--task.path", str(toy_rows)]
    words += ["--task.text", "text", "--task.label", "label", "--task.max-length", "16"]
    words += ["--train.epochs", "1", "--train.buckets", "16", "--adaptation.initializer", "uniform"]
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


def test_import_of_an_export_restores_the_run(finished, toy_base, toy_rows, tmp_path, capsys):
    state, file = write_state(finished, tmp_path), tmp_path / "best.safetensors"
    base = load_file(toy_base / "model.safetensors")
    state |= {f"bert.{name}": tensor for name, tensor in base.items()}
    save_file(state, file)
    words = ["import", str(file), "--out", str(tmp_path / "run"), "--model.base", str(toy_base)]
    words += SHORT
    words += ["--task.path", str(toy_rows), "--task.labels", "negative", "positive"]
    capsys.readouterr()
    assert main(words) == 0
    assert "dropped" in capsys.readouterr().out
    ours, theirs = (load_task_file(find_task_file(f)) for f in (finished, tmp_path / "run"))
    chex.assert_trees_all_equal(ours.delta, theirs.delta)
    for command in (["evaluate"], ["info"], ["predict", "--text", "good film"]):
        assert main([command[0], str(tmp_path / "run"), *command[1:]]) == 0


def test_import_of_another_base_is_refused_unless_allowed(finished, toy_base, tmp_path, capsys):
    file, out = tmp_path / "best.safetensors", tmp_path / "run"
    save_file(write_state(finished, tmp_path), file)  # with merged weights
    words = ["import", str(file), "--out", str(out), "--model.base", str(toy_base), *SHORT]
    capsys.readouterr()
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "differ from those of" in error
    assert error.count("\n") == 1
    assert not out.exists()
    assert main([*words, "--keep-weights"]) == 0
    assert "arrays differ from the base" in capsys.readouterr().out


def test_import_of_sign_scores_uses_threshold_zero(finished, toy_base, tmp_path, capsys):
    """Scores of the sign scheme have the threshold 0, which the help names."""
    file, out = tmp_path / "state.safetensors", tmp_path / "run"
    signs = np.random.default_rng(0).permuted(np.repeat([-1, 0, 1, 1], 8)).astype(np.float32)
    weight = np.ones((2, 16), np.float32)
    head = {"classifier.weight": weight, "classifier.bias": np.zeros(2, np.float32)}
    save_file({**head, "classifier.weight_mask": signs.reshape(2, 16)}, file)
    words = ["import", str(file), "--model.base", str(toy_base), "--out", str(out), *SHORT]
    assert main([*words, "--threshold", "0"]) == 0
    assert "1 arrays, 32 weights, 50.00% dropped" in capsys.readouterr().out
    mask = load_task_file(find_task_file(out)).delta.masks["classifier/kernel"].unpack()
    np.testing.assert_array_equal(np.asarray(mask).T, signs.reshape(2, 16) > 0)
    assert main(["predict", str(out), "--text", "good film"]) == 0
    assert main([*words, "--threshold", "nan"]) == 2
    assert "threshold: expected a finite number" in capsys.readouterr().err


def test_import_refuses_rows_that_the_base_cannot_read(finished, toy_base, tmp_path, capsys):
    save_file(write_state(finished, tmp_path), tmp_path / "s.safetensors")
    out = ["--out", str(tmp_path / "run"), "--model.base", str(toy_base)]
    assert main(["import", str(tmp_path / "s.safetensors"), *out]) == 2
    assert "task.max_length: expected at most 32 tokens" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_import_reads_the_best_state_of_a_compiled_model(toy_base, tmp_path, capsys):
    """The recorder of the reference code saves NumPy numbers together with the state dict."""
    torch = pytest.importorskip("torch", reason="needs PyTorch, which writes this file")
    state = {"classifier.weight": torch.ones(2, 16), "classifier.bias": torch.zeros(2)}
    state["classifier.weight_mask"] = torch.rand(2, 16) - 0.3
    state = {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()}
    scores = {"accuracy": np.float64(0.5), "count": np.int64(3), "matrix": np.eye(2)}
    torch.save({"which_step": 2, "eval_res": scores, "state_dict": state}, tmp_path / "best_state")
    words = ["import", str(tmp_path / "best_state"), "--model.base", str(toy_base), *SHORT]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    output = capsys.readouterr().out
    assert "taken for classification, 2 outputs; its tensors could also be for tokens" in output
    mask = load_task_file(find_task_file(tmp_path / "run")).masks["classifier/kernel"].unpack()
    scores = state["_orig_mod.module.classifier.weight_mask"].numpy()
    np.testing.assert_array_equal(np.asarray(mask).T, scores > np.float32(0.01))


@pytest.fixture(scope="module")
def grown_base(toy_base, tmp_path_factory):
    """A base whose tokenizer was given two more tokens, and whose embeddings were not."""
    folder = tmp_path_factory.mktemp("grown") / "base"
    shutil.copytree(toy_base, folder)
    with (folder / "vocab.txt").open("a") as file:
        file.write("\nusr\nurl\n")
    return folder


@pytest.mark.parametrize("command", ["import", "predict", "evaluate", "vectors"])
def test_tokenizer_larger_than_the_embeddings_is_refused(  # noqa: PLR0917
    command, finished, grown_base, toy_rows, tmp_path, capsys
):
    out, base = ["--out", str(tmp_path / "out")], ["--base", str(grown_base)]
    head = {"classifier.weight": np.ones((2, 16), np.float32)}
    head |= {"classifier.bias": np.zeros(2, np.float32)}
    save_file({**head, "classifier.weight_mask": np.ones((2, 16), np.float32)}, tmp_path / "s")
    words = {
        "import": [str(tmp_path / "s"), "--model.base", str(grown_base), *SHORT, *out],
        "predict": [str(finished), *base, "--text", "usr and url"],
        "evaluate": [str(finished), *base],
        "vectors": [str(finished), *base, "--out", str(tmp_path / "out.npy")],
    }[command]
    capsys.readouterr()
    assert main([command, *words]) == 2
    error = capsys.readouterr().err
    assert "the tokenizer has 18 tokens and the model 16; they are not of the same" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("out*"))


def test_predictor_refuses_a_tokenizer_larger_than_the_base(grown_base):
    """The server makes a predictor before it listens, so it refuses them too."""
    with pytest.raises(InputError, match="has 18 tokens and the model 16"):
        Predictor(str(grown_base))


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["export", "RUN/none", "--to", "hf", "--out", "OUT"], "none"),
        (["import", "RUN/none.pt", "--out", "OUT"], "none.pt"),
        (
            ["import", "RUN/task.safetensors", "--out", "OUT", "--model.base", "BASE", *SHORT],
            "no head",
        ),
    ],
)
def test_wrong_arguments_are_one_line_errors(words, named, finished, toy_base, tmp_path, capsys):  # noqa: PLR0917
    places = {"RUN": str(finished), "OUT": str(tmp_path / "out"), "BASE": str(toy_base)}
    for short, place in places.items():
        words = [word.replace(short, place) for word in words]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
