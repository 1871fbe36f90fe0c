"""A run folder that holds something already: resumed, refused, or replaced."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from maskjax.config import config_to_dict
from maskjax.errors import InputError
from maskjax.training import StoppedError, run
from maskjax.training.run_dir import FolderState, check_folder, check_stored, clear_run
from maskjax.training.validate import resolve_config

NESTED = "[" * 10_000


def with_epochs(config, epochs):
    return replace(config, train=replace(config.train, epochs=epochs, buckets=(16,)))


def test_epochs_are_raised_when_a_run_resumes(toy_config, tmp_path, sigterm_at):
    config, folder = with_epochs(toy_config(), 1), tmp_path / "run"
    with pytest.raises(StoppedError):
        run(config, folder, hooks=[sigterm_at(4)])
    log = io.StringIO()
    result = run(with_epochs(config, 2), folder, console=Console(file=log, width=1000))
    assert "train.epochs is raised from 1 to 2" in log.getvalue()
    assert "resumes from step 4" in log.getvalue()
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == sorted(steps)
    assert steps[-1] == 12
    assert result.step <= 12
    assert json.loads((folder / "config.json").read_text())["train"]["epochs"] == 2


@pytest.fixture
def unfinished(toy_config, tmp_path):
    """The folder of a run that was killed, and its settings."""
    config, folder = with_epochs(resolve_config(toy_config()), 2), tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config_to_dict(config)))
    (folder / "metrics.jsonl").write_text('{"step": 10, "seconds": 1.0}\n')
    return config, folder


def test_epochs_are_never_lowered(unfinished):
    config, folder = unfinished
    assert check_folder(folder, config) == FolderState()
    assert "raised from 2 to 3" in check_folder(folder, with_epochs(config, 3)).note
    with pytest.raises(InputError, match=r"train.epochs: 2 there, 1 now\); .* --overwrite"):
        check_folder(folder, with_epochs(config, 1))
    (folder / "result.json").write_text("{}")
    with pytest.raises(InputError, match=r"train.epochs: 2 there, 3 now"):
        check_stored(folder, with_epochs(config, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not valid JSON"),
        (b'{"train": \xff}', "not UTF-8"),
        (NESTED.encode(), "nested too deeply"),
        (b"9" * 5000, "not valid JSON"),
        (b"[1]", "expected a table of settings"),
    ],
)
def test_a_damaged_configuration_is_one_line(unfinished, content, message):
    config, folder = unfinished
    (folder / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=f"config.json: .*{message}") as raised:
        check_folder(folder, config)
    assert "\n" not in str(raised.value)
    assert check_folder(folder, config, overwrite=True).replaced


def test_overwrite_replaces_what_would_be_refused(unfinished):
    config, folder = unfinished
    assert not check_folder(folder, config, overwrite=True).replaced  # it resumes
    assert check_folder(folder, with_epochs(config, 1), overwrite=True).replaced
    (folder / "result.json").write_text("{}")
    assert check_folder(folder, config, overwrite=True).replaced


def test_overwrite_deletes_no_file_of_others(tmp_path, unfinished):
    config, folder = unfinished
    for name in ("checkpoints/1/x", "tensorboard/y", "snapshots/z", "notes/mine.txt", "mine.json"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).touch()
    (folder / "seed-3").mkdir()
    (folder / "seed-3" / "config.json").touch()
    (folder / "seed-4").mkdir()
    (folder / "seed-4" / "mine").touch()
    clear_run(folder)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {"notes/mine.txt", "mine.json", "seed-4/mine"}
    other = tmp_path / "project"
    other.mkdir()
    (other / "config.json").write_text('{"name": "a web site"}')
    with pytest.raises(InputError, match="unknown setting 'name'"):
        check_folder(other, config, overwrite=True)


def test_a_finished_run_is_trained_again(toy_config, tmp_path):
    config, folder = with_epochs(toy_config(), 1), str(tmp_path / "run")
    first = run(config, folder)
    with pytest.raises(InputError, match=r"already holds a run; .*--overwrite"):
        run(config, folder)
    other = replace(config, train=replace(config.train, seed=1))
    missing = replace(other, task=replace(config.task, path=str(tmp_path / "none")))
    with pytest.raises(InputError, match="No file or folder"):
        run(missing, folder, overwrite=True)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["scores"] == first.scores
    run(other, folder, overwrite=True)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["train"]["seed"] == 1
    assert not (tmp_path / "run" / "checkpoints").exists()
