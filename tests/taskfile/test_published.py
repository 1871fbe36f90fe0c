"""What is published names no folder of the machine that it was made on."""

import chex

from maskjax.taskfile import TASK_FILE, make_task_file, read_task_file, save_task_file
from maskjax.taskfile.published import without_folders


def save(file, folder) -> bytes:
    save_task_file(folder / TASK_FILE, file)
    return (folder / TASK_FILE).read_bytes()


def test_local_paths_are_reduced_to_their_last_names(delta, base, meta, tmp_path):
    config = meta["config"] | {
        "model": {"base": "/home/ann/models/bert"},
        "task": {"path": "/home/ann/secret/reviews", "labels": ["/r/art", "/r/news"]},
        "train": {"checkpoints": "gs://bucket/mine", "seed": 3},
    }
    changed = meta | {"config": config, "base": {"name": "/home/ann/models/bert", "revision": None}}
    file = make_task_file(delta, base, changed)
    payload = save(file, tmp_path)
    published = without_folders(payload, "x")
    assert b"/home" in payload
    assert b"/home" not in published
    found = read_task_file(published, "x")
    assert found.meta["config"] == meta["config"] | {
        "model": {"base": "bert"},
        "task": {"path": "reviews", "labels": ["/r/art", "/r/news"]},
        "train": {"checkpoints": "gs://bucket/mine", "seed": 3},
    }
    assert found.meta["base"]["name"] == "bert"
    assert found.digests == file.digests
    chex.assert_trees_all_equal(found.delta, file.delta)


def test_file_without_local_paths_is_unchanged(delta, base, meta, tmp_path):
    payload = save(make_task_file(delta, base, meta), tmp_path)
    assert without_folders(payload, "x") == payload
