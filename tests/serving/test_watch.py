"""A folder of task files that changes under the server."""

import os

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
    look(watcher)
    return watcher


def look(watcher, times=1):
    for _ in range(times):
        for path in watcher.look():
            watcher.judge(path)


def served(predictor):
    return {name: predictor.versions[name] for name in predictor.tasks}


def events(metrics, event):
    return metrics.registry.get_sample_value("maskjax_task_files_total", {"event": event}) or 0


def test_all_that_is_there_at_the_start_is_served(watcher, predictor, metrics):
    assert served(predictor) == {"mood": "1", "stars": "1", "tags": "1"}
    assert events(metrics, "added") == 3
    look(watcher, 3)
    assert events(metrics, "added") == 3


def test_a_file_that_still_grows_is_left_alone(watcher, predictor, folder):
    new = folder / "new.mask"
    for version in ("1", "12", "123"):
        new.write_text(version)
        look(watcher)
        assert "new" not in predictor.tasks
    look(watcher)
    assert predictor.versions["new"] == "123"


def test_a_changed_file_replaces_its_task(watcher, predictor, folder):
    (folder / "mood.safetensors").write_text("two")
    look(watcher)
    assert served(predictor)["mood"] == "1"
    look(watcher)
    assert served(predictor)["mood"] == "two"


def test_a_file_of_the_same_size_and_time_that_was_moved_there(watcher, predictor, folder):
    old, new = folder / "mood.safetensors", folder / "mood.part"
    new.write_text("2")
    status = old.stat()
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(old)
    look(watcher, 2)
    assert served(predictor)["mood"] == "2"


def test_a_damaged_file_is_refused_once_and_the_old_task_stays(
    watcher, predictor, metrics, folder, caplog
):
    (folder / "mood.safetensors").write_text("damaged")
    look(watcher, 5)
    assert served(predictor)["mood"] == "1"
    assert events(metrics, "refused") == 1
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert "damaged; the task that was there stays" in caplog.text
    (folder / "mood.safetensors").write_text("3")
    look(watcher, 2)
    assert served(predictor)["mood"] == "3"


def test_a_removed_file_takes_its_task_along(watcher, predictor, metrics, folder):
    (folder / "mood.safetensors").unlink()
    look(watcher)
    assert "mood" in predictor.tasks  # it may be on its way from one name to the other
    look(watcher)
    assert served(predictor) == {"stars": "1", "tags": "1"}
    assert events(metrics, "removed") == 1


def test_a_refused_file_that_goes_takes_nothing_along(watcher, predictor, metrics, folder):
    new = folder / "new.mask"
    new.write_text("damaged")
    look(watcher, 2)
    new.unlink()
    look(watcher, 2)
    assert (events(metrics, "refused"), events(metrics, "removed")) == (1, 0)


def test_two_files_of_one_name(watcher, predictor, metrics, folder, caplog):
    (folder / "mood.mask").write_text("other")
    look(watcher, 3)
    assert served(predictor)["mood"] == "1"
    assert events(metrics, "refused") == 1
    assert "already, from" in caplog.text
    (folder / "mood.safetensors").unlink()
    look(watcher, 3)
    assert served(predictor)["mood"] == "other"


def test_hidden_and_other_files_are_no_tasks(watcher, predictor, folder):
    for name in (".mood2.safetensors", "readme.txt", "x.safetensors.17.part"):
        (folder / name).write_text("1")
    look(watcher, 2)
    assert set(predictor.tasks) == {"mood", "stars", "tags"}


def test_a_folder_that_cannot_be_read_takes_no_task_away(watcher, predictor, folder, tmp_path):
    away = tmp_path.with_name("away")
    folder.rename(away)
    look(watcher, 3)
    assert set(predictor.tasks) == {"mood", "stars", "tags"}
    away.rename(folder)
    (folder / "stars.mask").unlink()
    look(watcher, 2)
    assert set(predictor.tasks) == {"mood", "tags"}
