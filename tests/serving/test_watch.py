"""A folder of task files that changes under the server."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from maskjax.serving import Metrics, Watcher


@pytest.fixture
def predictor(fake):
    return fake.FakePredictor({})


@pytest.fixture
def metrics(predictor):
    return Metrics(predictor.resident)


@pytest.fixture
def folder(tmp_path):
    for name in ("mood.safetensors", "stars.mask"):
        (tmp_path / name).write_text("1")
    (tmp_path / "tags").mkdir()
    (tmp_path / "tags" / "task.safetensors").write_text("1")
    return tmp_path


@pytest.fixture
def watcher(folder, predictor, metrics):
    watcher = Watcher(folder, predictor, metrics)
    poll(watcher)
    return watcher


def poll(watcher, times=1):
    for _ in range(times):
        for path in watcher.changed_files():
            watcher.update(path)


def served(predictor):
    return {name: predictor.versions[name] for name in predictor.tasks}


def events(metrics, event):
    return metrics.registry.get_sample_value("maskjax_task_files_total", {"event": event}) or 0


def test_files_present_at_the_start_are_served(watcher, predictor, metrics):
    assert served(predictor) == {"mood": "1", "stars": "1", "tags": "1"}
    assert events(metrics, "added") == 3
    poll(watcher, 3)
    assert events(metrics, "added") == 3


def test_growing_file_is_not_loaded(watcher, predictor, folder):
    new = folder / "new.mask"
    for version in ("1", "12", "123"):
        new.write_text(version)
        poll(watcher)
        assert "new" not in predictor.tasks
    poll(watcher)
    assert predictor.versions["new"] == "123"


def test_a_changed_file_replaces_its_task(watcher, predictor, folder):
    (folder / "mood.safetensors").write_text("two")
    poll(watcher)
    assert served(predictor)["mood"] == "1"
    poll(watcher)
    assert served(predictor)["mood"] == "two"


def test_replacement_of_the_same_size_and_time_is_noticed(watcher, predictor, folder):
    old, new = folder / "mood.safetensors", folder / "mood.part"
    new.write_text("2")
    status = old.stat()
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(old)
    poll(watcher, 2)
    assert served(predictor)["mood"] == "2"


def test_a_damaged_file_is_refused_once_and_the_old_task_stays(
    watcher, predictor, metrics, folder, caplog
):
    (folder / "mood.safetensors").write_text("damaged")
    poll(watcher, 5)
    assert served(predictor)["mood"] == "1"
    assert events(metrics, "refused") == 1
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "damaged; the task that was there stays" in caplog.text
    (folder / "mood.safetensors").write_text("3")
    poll(watcher, 2)
    assert served(predictor)["mood"] == "3"


def test_removed_file_removes_its_task(watcher, predictor, metrics, folder):
    (folder / "mood.safetensors").unlink()
    poll(watcher)
    assert "mood" in predictor.tasks  # it may be on its way from one name to the other
    poll(watcher)
    assert served(predictor) == {"stars": "1", "tags": "1"}
    assert events(metrics, "removed") == 1


def test_removing_a_refused_file_removes_no_task(watcher, predictor, metrics, folder):
    new = folder / "new.mask"
    new.write_text("damaged")
    poll(watcher, 2)
    new.unlink()
    poll(watcher, 2)
    assert (events(metrics, "refused"), events(metrics, "removed")) == (1, 0)


def test_second_file_of_one_name_waits_for_the_first(watcher, predictor, metrics, folder, caplog):
    (folder / "mood.mask").write_text("other")
    poll(watcher, 3)
    assert served(predictor)["mood"] == "1"
    assert events(metrics, "refused") == 1
    assert "already, from" in caplog.text
    (folder / "mood.safetensors").unlink()
    poll(watcher, 3)
    assert served(predictor)["mood"] == "other"


def test_runs_in_folders_are_served_under_their_paths(watcher, predictor, folder):
    for name in ("rte/seed-0", "rte/seed-1", "demo/a/mask"):
        (folder / name).mkdir(parents=True)
        (folder / name / "task.safetensors").write_text(name)
    (folder / "rte" / "back").symlink_to(folder)
    poll(watcher, 2)
    names = {"rte/seed-0", "rte/seed-1", "demo/a/mask"}
    assert {name: served(predictor)[name] for name in names} == {name: name for name in names}
    (folder / "rte" / "seed-0" / "task.safetensors").unlink()
    poll(watcher, 2)
    assert set(predictor.tasks) == {"mood", "stars", "tags", *names} - {"rte/seed-0"}


def test_folder_without_a_task_is_logged_once(predictor, metrics, folder, caplog):
    (folder / "killed").mkdir()
    (folder / "killed" / "metrics.jsonl").touch()
    caplog.set_level("INFO", "maskjax.serving")
    poll(Watcher(folder, predictor, metrics), 3)
    (line,) = [record.message for record in caplog.records if "skipped" in record.message]
    assert line.startswith(f"skipped {folder / 'killed'}: the run is not finished")


def test_a_run_folder_is_served_under_its_own_name(predictor, metrics, folder):
    poll(Watcher(folder / "tags", predictor, metrics))
    assert set(predictor.tasks) == {"tags"}


def test_hidden_and_other_files_are_ignored(watcher, predictor, folder):
    for name in (".mood2.safetensors", "readme.txt", "x.safetensors.17.part"):
        (folder / name).write_text("1")
    poll(watcher, 2)
    assert set(predictor.tasks) == {"mood", "stars", "tags"}


def test_unreadable_folder_removes_no_task(watcher, predictor, folder, tmp_path):
    away = tmp_path.with_name("away")
    folder.rename(away)
    poll(watcher, 3)
    assert set(predictor.tasks) == {"mood", "stars", "tags"}
    away.rename(folder)
    (folder / "stars.mask").unlink()
    poll(watcher, 2)
    assert set(predictor.tasks) == {"mood", "tags"}


def break_on_add(predictor, errors):
    """Makes `add` raise unexpected errors, by the name of the task."""
    add = predictor.add

    def broken(place, name):
        if name in errors:
            raise errors[name]
        return add(place, name)

    predictor.add = broken


@pytest.mark.parametrize(
    "error", [KeyError("labels"), MemoryError(), RecursionError("deep"), OSError("odd")]
)
@pytest.mark.parametrize("at_start", [True, False])
def test_watcher_survives_errors_of_any_file(predictor, folder, caplog, error, at_start):
    break_on_add(predictor, {"mood": error, "a": error, "z": error})
    metrics = Metrics(predictor.resident)
    watcher = Watcher(folder, predictor, metrics)
    if not at_start:
        poll(watcher)
    for name in "amz":
        (folder / f"{name}.mask").write_text("1")
    poll(watcher, 3)
    assert served(predictor) == {"m": "1", "stars": "1", "tags": "1"}
    for name in ("mood.safetensors", "a.mask", "z.mask"):
        assert sum(f"refused {folder / name}: " in r.message for r in caplog.records) == 1
    assert events(metrics, "refused") == 3


def test_watcher_survives_a_task_removed_by_others(watcher, predictor, folder, monkeypatch):
    monkeypatch.setattr(predictor, "remove", lambda name: {}[name])
    (folder / "mood.safetensors").unlink()
    poll(watcher, 2)
    (folder / "new.mask").write_text("1")
    poll(watcher, 2)
    assert "new" in predictor.tasks


def test_odd_names_and_links_are_refused_or_skipped(predictor, metrics, folder, caplog):
    """Each of these once ended the watcher, or made a task whose name broke other answers."""
    (folder / "loop.mask").symlink_to("loop.mask")
    (folder / "ring").symlink_to("ring")
    (folder / "nowhere.mask").symlink_to("missing")
    (folder / "device.mask").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.mask")
    (folder / "²").mkdir()
    (folder / "²" / "task.safetensors").write_text("1")
    for name in ("half \udcff.mask", "two\nlines.mask", "\x1b[31m.mask"):
        (folder / name).write_text("1")
    poll(Watcher(folder, predictor, metrics), 3)
    assert set(predictor.tasks) == {"mood", "stars", "tags", "²"}
    refused = [record.getMessage() for record in caplog.records]
    assert len(refused) == 3
    assert all("name that can be printed" in line and line.isprintable() for line in refused)


def test_special_files_are_skipped_and_named_once(predictor, metrics, folder, caplog):
    caplog.set_level("INFO", "maskjax.serving")
    os.mkfifo(folder / "pipe.mask")
    (folder / "loop.mask").symlink_to("loop.mask")
    (folder / "ring").symlink_to("ring")
    (folder / "ok.mask").symlink_to("stars.mask")
    watcher = Watcher(folder, predictor, metrics)
    poll(watcher, 3)
    skipped = [r.getMessage() for r in caplog.records if r.getMessage().startswith("skipped")]
    assert skipped == [
        f"skipped {folder / 'loop.mask'}: is a link that leads nowhere: Too many levels of symbolic"
        " links",
        f"skipped {folder / 'pipe.mask'}: is neither a file nor a folder",
        f"skipped {folder / 'ring'}: is a link that leads nowhere: Too many levels of symbolic"
        " links",
    ]
    assert set(predictor.tasks) == {"mood", "stars", "tags", "ok"}


def test_a_task_whose_file_becomes_a_pipe_is_removed(watcher, predictor, folder):
    (folder / "stars.mask").unlink()
    os.mkfifo(folder / "stars.mask")
    poll(watcher, 2)
    assert set(predictor.tasks) == {"mood", "tags"}


def test_deeply_nested_folders_are_skipped(predictor, metrics, folder, monkeypatch, caplog):
    caplog.set_level("INFO", "maskjax.serving")
    with monkeypatch.context() as moved:
        moved.chdir(folder)
        for _ in range(400):
            os.mkdir("d")
            os.chdir("d")
    poll(Watcher(folder, predictor, metrics))
    assert set(predictor.tasks) == {"mood", "stars", "tags"}
    assert "is more than 64 folders deep" in caplog.text


def test_unreadable_inner_folder_removes_no_task(watcher, predictor, folder, monkeypatch, caplog):
    caplog.set_level("INFO", "maskjax.serving")
    isfile, iterdir = os.path.isfile, Path.iterdir

    def failing(path):
        if path == folder / "tags":
            raise OSError(errno.EIO, "Input/output error")
        return iterdir(path)

    with monkeypatch.context() as broken:
        broken.setattr(os.path, "isfile", lambda p: "tags" not in str(p) and isfile(p))
        broken.setattr(Path, "iterdir", failing)
        poll(watcher, 3)
    assert set(predictor.tasks) == {"mood", "stars", "tags"}
    assert caplog.text.count("tags: cannot be read: Input/output error") == 1
    (folder / "tags" / "task.safetensors").unlink()
    poll(watcher, 2)
    assert set(predictor.tasks) == {"mood", "stars"}


def test_loop_survives_errors_and_logs_each_once(folder, predictor, metrics, monkeypatch, caplog):
    """Errors while polling or compiling do not end the loop; each is logged once."""
    polls = []

    def poll_badly(watcher):
        polls.append(watcher)
        if len(polls) < 4:
            raise ZeroDivisionError
        return real(watcher)

    def fail_to_compile():
        raise RuntimeError("XLA has no room")

    real = Watcher.changed_files
    monkeypatch.setattr(Watcher, "changed_files", poll_badly)
    predictor.warm_up = fail_to_compile
    watcher = Watcher(folder, predictor, metrics, seconds=0.001)

    async def watch():
        loop = asyncio.create_task(watcher.run())
        while len(polls) < 6:
            assert not loop.done()
            await asyncio.sleep(0.001)
        loop.cancel()

    asyncio.run(asyncio.wait_for(watch(), 10))
    assert watcher.ready
    assert set(predictor.tasks) == {"mood", "stars", "tags"}
    messages = [record.getMessage() for record in caplog.records]
    assert [sum(word in line for line in messages) for word in ("ZeroDivision", "XLA")] == [1, 1]


def test_metrics_of_a_removed_task_are_dropped(watcher, predictor, metrics, folder):
    metrics.observe_latency("mood", 1.0)
    (folder / "mood.safetensors").unlink()
    poll(watcher, 2)
    assert b'task="mood"' not in metrics.text()
