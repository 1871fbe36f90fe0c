"""Runs at any depth of a folder, and the reasons why other folders are left out."""

from pathlib import Path

import pytest

from maskjax.errors import InputError
from maskjax.taskfile import find_runs, find_task_file


@pytest.fixture
def make(tmp_path):
    """Makes empty files, with the folders that they are in."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def relative(found, folder):
    """Runs, files, and what was left out, by their paths within the folder."""
    names = ([str(path.relative_to(folder)) for path in some] for some in found[:2])
    return *names, {str(one.path.relative_to(folder)): one.reason for one in found.left_out}


def test_runs_are_found_at_any_depth(make):
    folder = make(
        "a/task.safetensors",
        "a/snapshots/1.safetensors",
        "seeds/config.json",
        "seeds/result.json",
        *(f"seeds/seed-{seed}/task.safetensors" for seed in (2, 10, 0)),
        "demo/tasks/one/task.safetensors",
        "demo/figures/zeros.svg",
        "loose.mask",
        "other.safetensors",
        "report.html",
        ".hidden/task.safetensors",
        ".part.safetensors",
    )
    runs, files, left_out = relative(find_runs(folder), folder)
    seeds = [f"seeds/seed-{seed}" for seed in (0, 2, 10)]
    assert runs == ["a", "demo/tasks/one", *seeds]
    assert files == ["loose.mask", "other.safetensors"]
    assert left_out == {"demo/figures": "holds no finished run"}


def test_run_folder_is_found_as_one_run(make):
    folder = make("task.safetensors", "config.json", "snapshots/1.safetensors", "tensorboard/x")
    assert find_runs(folder) == ([folder], [], [])


def test_unfinished_runs_are_reported_as_unfinished(make):
    folder = make(
        "killed/config.json",
        "killed/metrics.jsonl",
        "killed/checkpoints/10/item",
        "seeds/config.json",
        "seeds/seed-0/metrics.jsonl",
        "seeds/checkpoints/10/item",
        "exported/config.json",
        "exported/model.safetensors",
        "done/task.safetensors",
    )
    runs, _, left_out = relative(find_runs(folder), folder)
    assert runs == ["done"]
    assert left_out.keys() == {"exported", "killed", "seeds/seed-0"}
    assert left_out["exported"] == "holds no finished run"
    for name in ("killed", "seeds/seed-0"):
        assert left_out[name].startswith("the run is not finished, it has no task.safetensors")


def test_empty_folders_are_one_line(make):
    folder = make("a/b/c/x", "a/d/e/x")
    assert relative(find_runs(folder), folder)[2] == {".": "holds no finished run"}


def test_cyclic_links_are_followed_once(make):
    folder = make("a/b/task.safetensors", "c/x")
    (folder / "a" / "up").symlink_to(folder)
    (folder / "c" / "to-a").symlink_to(folder / "a")
    (folder / "a" / "to-c").symlink_to(folder / "c")
    (folder / "self").symlink_to("self")
    (folder / "gone").symlink_to("nowhere")
    assert relative(find_runs(folder), folder)[0] == ["a/b"]


def test_a_link_to_a_run_is_another_name_of_it(make):
    folder = make("runs/a/task.safetensors", "tasks/x")
    for name in ("one", "two"):
        (folder / "tasks" / name).symlink_to(folder / "runs" / "a")
    assert [run.name for run in find_runs(folder / "tasks").runs] == ["one", "two"]


def test_a_folder_that_may_not_be_read_is_left_out(make, monkeypatch):
    folder = make("a/task.safetensors", "secret/task")
    entries = Path.iterdir

    def refuse(path):
        if path.name == "secret":
            raise PermissionError(13, "Permission denied", str(path))
        return entries(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert relative(find_runs(folder), folder)[2] == {"secret": "cannot be read: Permission denied"}
    with pytest.raises(OSError, match="No such file"):
        find_runs(folder / "nowhere")


def test_commands_on_one_run_name_the_runs_of_a_folder(make):
    folder = make(*(f"rte/seed-{seed}/task.safetensors" for seed in range(4)), "loose/a.mask")
    message = r"rte: expected one run, got a folder of 4 \(seed-0, seed-1, seed-2, \.\.\.\); give"
    with pytest.raises(InputError, match=message):
        find_task_file(folder / "rte")
    with pytest.raises(InputError, match=r"got a folder of 1 \(a\.mask\)"):
        find_task_file(folder / "loose")
