"""Every command from the command line; bad input is one line, exit code 2, and no files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from maskjax.cli.common import RunOptions
from maskjax.cli.main import main
from maskjax.taskfile import TASK_FILE, load_task_file

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "taskfile" / "golden"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, toy_base, toy_rows):
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert main(["train", *options(toy_base, toy_rows), "--out", str(folder)]) == 0
    return folder


def options(base, rows, **changes):
    values = {
        "model.base": base,
        "task.name": "toy",
        "task.path": rows,
        "task.text": "text",
        "task.label": "label",
        "task.max-length": 16,
        "train.epochs": 1,
        "train.buckets": "8 16",
        "train.batch-size": 16,
        **changes,
    }
    words = []
    for name, value in values.items():
        words += [f"--{name}", *str(value).split(" ")] if value is not None else []
    return words


def test_train_prints_its_environment_and_mask(toy_base, toy_rows, tmp_path, capsys):
    words = options(toy_base, toy_rows, **{"task.name": None})  # the folder names the task
    assert main(["train", *words, "--out", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    for word in ("devices", "versions", "model", "weights masked", "bytes of mask", "best at step"):
        assert word in out
    assert f"loading the rows of {toy_rows.name}" in out
    assert f"mask {toy_rows.name}: step" in out
    assert "docstrings" not in out


def test_evaluate_prints_the_scores_of_the_run(finished, capsys):
    assert main(["evaluate", str(finished)]) == 0
    out = capsys.readouterr().out
    scores = json.loads((finished / "result.json").read_text())["scores"]
    for split, score in scores.items():
        assert split in out
        assert f"{score:.4f}" in out


ON_RUNS = {
    "evaluate": [],
    "predict": ["--text", "good"],
    "submit": ["--out", "x"],
    "info": [],
    "export": ["--to", "hf", "--out", "x"],
    "diff": ["other/run"],
    "combine": ["--out", "x.mask"],
    "ensemble": ["other/run"],
    "vectors": ["--out", "x.tsv"],
}


@pytest.mark.parametrize("command", ON_RUNS)
def test_offline_commands_do_not_download_a_run(command, capsys, monkeypatch):
    monkeypatch.setattr("maskjax.taskfile.hub.hf_hub_download", None)
    assert main([command, "someone/run", *ON_RUNS[command], "--offline"]) == 2
    assert "nor in the Hub's cache; run once online" in capsys.readouterr().err


def test_offline_applies_to_the_rows_of_a_saved_run(finished):
    assert not RunOptions(run=finished).load().config.model.offline
    assert RunOptions(run=finished, offline=True).load().config.model.offline


def test_predict_is_the_same_for_texts_and_files(finished, tmp_path, capsys):
    assert main(["predict", str(finished), "--text", "good film", "bad film"]) == 0
    shown = capsys.readouterr().out
    (tmp_path / "in.tsv").write_text("text\ngood film\nbad film\n")
    words = ["--input", str(tmp_path / "in.tsv"), "--output", str(tmp_path / "out.jsonl")]
    assert main(["predict", str(finished), *words]) == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["text"] for line in lines] == ["good film", "bad film"]
    for line in lines:
        assert line["label"] in shown
        assert f"{line['score']:.3f}" in shown


def test_info_shows_the_zeros_as_a_table_and_as_a_picture(finished, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "zeros.png"
    assert main(["info", str(finished), "--picture", str(picture)]) == 0
    out = capsys.readouterr().out
    assert "weights dropped" in out
    assert "query" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_info_decodes_no_mask(finished, capsys, monkeypatch):
    def fail(*_args, **_options):
        pytest.fail("a mask was decoded")

    file = load_task_file(finished / TASK_FILE)
    monkeypatch.setattr("maskjax.taskfile.header.decode_stream", fail)
    assert main(["info", str(finished)]) == 0
    out = capsys.readouterr().out
    zeros = sum(mask.zeros for mask in file.masks.values())
    assert f"{zeros:,} of {sum(mask.size for mask in file.masks.values()):,} weights" in out


def test_info_counts_the_zeros_of_format_1_when_asked(capsys, monkeypatch):
    path = str(GOLDEN / "format-1.safetensors")
    assert main(["info", path]) == 0
    assert "format 1 does not say how many are dropped" in capsys.readouterr().out
    assert main(["info", path, "--count"]) == 0
    zeros = sum(mask.zeros for mask in load_task_file(Path(path)).masks.values())
    assert f"{zeros:,} of 5,199 weights" in capsys.readouterr().out


def test_doctor_and_help_print_their_output(capsys):
    assert main(["doctor"]) == 0
    assert "jax" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "evaluate" in capsys.readouterr().out


def test_require_accelerator_refuses_a_silent_fallback(toy_base, toy_rows, tmp_path, capsys):
    words = [*options(toy_base, toy_rows), "--out", str(tmp_path / "run"), "--require-accelerator"]
    assert main(["train", *words]) == 2
    assert "only a CPU" in capsys.readouterr().err


def test_overrides_win_over_the_config_file(toy_base, toy_rows, tmp_path):
    words = [*options(toy_base, toy_rows), "--optimizer.learning-rate", "5e-3"]
    config = f"{ROOT}/configs/tasks.py:trec"
    assert main(["train", "--config", config, *words, "--out", str(tmp_path / "run")]) == 0
    saved = json.loads((tmp_path / "run" / "config.json").read_text())
    assert saved["optimizer"]["learning_rate"] == 5e-3
    assert saved["task"]["holdout"] == 0.1
    assert saved["task"]["name"] == "toy"


def damaged_base(base, tmp_path, change):
    folder = tmp_path / "base"
    shutil.copytree(base, folder)
    change(folder)
    return folder


def edit_tensors(folder, change):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def edit_config(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


BAD_BASES = {
    "missing tensor": (
        lambda f: edit_tensors(f, lambda t: t.pop("pooler.dense.bias")),
        "pooler.dense.bias",
    ),
    "extra tensor": (
        lambda f: edit_tensors(f, lambda t: t.update(spare=np.zeros(1, np.float32))),
        "spare",
    ),
    "wrong shape": (
        lambda f: edit_tensors(f, lambda t: t.update({"pooler.dense.bias": np.zeros(3, "f4")})),
        "pooler.dense.bias",
    ),
    "architecture": (lambda f: edit_config(f, model_type="gpt2"), "gpt2"),
    "truncated": (lambda f: truncate(f / "model.safetensors"), "model.safetensors"),
    "no config": (lambda f: (f / "config.json").unlink(), "config.json"),
}


@pytest.mark.parametrize("case", BAD_BASES)
def test_a_bad_base_is_one_line_and_exit_code_2(case, toy_base, toy_rows, tmp_path, capsys):
    change, named = BAD_BASES[case]
    base = damaged_base(toy_base, tmp_path, change)
    refused(options(base, toy_rows), named, tmp_path, capsys)


BAD_ROWS = {
    "missing file": (None, {}, "train"),
    "wrong column": ("sentence\tlabel\nx\t1\n", {}, "sentence"),
    "empty file": ("", {}, "train.tsv"),
    "header only": ("text\tlabel\n", {}, "train.tsv"),
    "empty text": ("text\tlabel\ngood\t1\n\t0\n", {}, "2"),
    "label outside": ("text\tlabel\ngood\t1\nbad\t7\n", {"task.labels": "0 1"}, "7"),
    "one class": ("text\tlabel\ngood\t1\nbad\t1\n", {}, "two labels"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows_are_one_line_and_exit_code_2(case, toy_base, tmp_path, capsys):
    content, changes, named = BAD_ROWS[case]
    rows = tmp_path / "rows"
    rows.mkdir()
    if content is not None:
        (rows / "train.tsv").write_text(content)
        (rows / "dev.tsv").write_text("text\tlabel\ngood\t1\nbad\t0\n")
    refused(options(toy_base, rows, **changes), named, tmp_path, capsys)


BAD_SETTINGS = {
    "longer than the model": (
        {"task.max-length": 128, "train.buckets": "128"},
        "at most 32 tokens",
    ),
    "blocks": ({"adaptation.blocks": "1 7"}, "adaptation.blocks"),
    "matrix types": ({"adaptation.matrix-types": "querry"}, "querry"),
    "sparsity": ({"adaptation.sparsity": 1.5}, "adaptation.sparsity"),
    "no such base": ({"model.base": "./nowhere"}, "nowhere"),
    "no such folder": ({"task.path": "./nowhere"}, "nowhere"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_bad_settings_are_one_line_and_exit_code_2(case, toy_base, toy_rows, tmp_path, capsys):
    changes, named = BAD_SETTINGS[case]
    refused(options(toy_base, toy_rows, **changes), named, tmp_path, capsys)


def refused(words, named, tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", *words, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert named in error
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["--optimizer.lerning-rate", "1e-3"], "learning-rate"),
        (["--optimizer.name", "adamax"], "adamw"),
        (["--train.epochs", "x"], "INT"),
    ],
)
def test_unknown_option_or_value_error_lists_the_allowed(words, allowed, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", *words])
    assert stop.value.code == 2
    assert allowed in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        ("c.py", "from maskjax.config import *\ndef get_config(): return Config(tusk=1)", "tusk"),
        ("c.py", "x = 1", "get_config"),
        ("c.py", "def get_config(:", "c.py"),
        ("c.json", '{"train": {"epoch": 3}}', "epochs"),
        ("c.json", '{"train": {"epochs": "3"}}', "train.epochs"),
        ("c.json", "{", "JSON"),
    ],
)
def test_a_bad_config_file_is_named(name, content, named, tmp_path, capsys):
    (tmp_path / name).write_text(content)
    assert main(["train", "--config", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1


def test_missing_config_suggests_near_names(capsys):
    assert main(["train", "--config", str(ROOT / "configs" / "task.py")]) == 2
    assert "tasks.py" in capsys.readouterr().err


def test_a_shrunk_run_is_smaller_and_runs(finished, tmp_path, capsys):
    small = tmp_path / "small.safetensors"
    assert main(["shrink", str(finished), "--zeros", "0.1", "--out", str(small)]) == 0
    assert small.stat().st_size < (finished / "task.safetensors").stat().st_size
    assert main(["evaluate", str(small)]) == 0
    assert main(["shrink", str(finished), "--out", str(small)]) == 2
    assert "already exists; choose another --out, or give --overwrite." in capsys.readouterr().err
    words = ["shrink", str(finished), "--zeros", "1", "--out", str(small)]
    assert main([*words, "--overwrite"]) == 0
    for path, mask in load_task_file(finished / TASK_FILE).masks.items():
        np.testing.assert_array_equal(load_task_file(small).masks[path].bits, mask.bits)
    assert main(["shrink", str(finished), "--out", str(tmp_path), "--overwrite"]) == 2


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["predict", "RUN"], "--text"),
        (["predict", "RUN", "--text", " "], "empty"),
        (["predict", "RUN", "--text", "a", "--second", "b"], "one text"),
        (["predict", "RUN", "--input", "nowhere.tsv"], "nowhere.tsv"),
        (["evaluate", "RUN", "--split", "dve"], "dve"),
        (["info", "RUN/none"], "none"),
        (["info", "RUN", "--picture", "x.bmp"], "x.bmp"),
        (["prdict", "RUN"], "prdict"),
    ],
)
def test_wrong_arguments_for_a_run_are_one_line_errors(words, named, finished, capsys):
    assert main([word.replace("RUN", str(finished)) for word in words]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1


def test_a_run_that_diverges_is_exit_code_1(toy_base, toy_rows, tmp_path, capsys):
    words = options(
        toy_base,
        toy_rows,
        **{
            "optimizer.name": "sgd",
            "optimizer.learning-rate": 1e38,
            "optimizer.clip": 0,
            "adaptation.method": "finetune",
        },
    )
    assert main(["train", *words, "--out", str(tmp_path / "run")]) == 1
    assert "between steps" in capsys.readouterr().err
