"""Saved runs of other versions, or with shapes that differ from the base."""

import copy
from pathlib import Path

import numpy as np
import pytest

from benchmarks.mutants import Opened, open_payload, sign
from maskjax import Predictor
from maskjax.errors import InputError
from maskjax.inference import load_predictor, load_run
from maskjax.taskfile import TASK_FILE
from maskjax.taskfile import header as header_module
from maskjax.tasks import Split


@pytest.fixture
def opened(run_of) -> Opened:
    opened = open_payload(Path(run_of("bert", "masks").file.name).read_bytes())
    return opened._replace(header=copy.deepcopy(opened.header))


@pytest.fixture
def write(tmp_path):
    def write(opened: Opened):
        (tmp_path / TASK_FILE).write_bytes(sign(opened))
        return tmp_path / TASK_FILE

    return write


def test_settings_of_a_later_version_are_ignored(opened, write, run_of):
    header = opened.header
    for part in (header["task"], header["config"], header["config"]["task"]):
        part["note"] = 1
    path = write(opened)
    loaded = load_run(path)
    assert loaded.task == run_of("bert", "masks").task
    predictor = load_predictor(path)
    assert list(predictor.tasks.values()) == [loaded.task]
    split = Split([("good film",)], np.zeros(1, np.int32))
    logits = [saved.logits(saved.encode(split)) for saved in (loaded, run_of("bert", "masks"))]
    np.testing.assert_array_equal(*logits)


def test_another_shape_is_refused_before_anything_is_decoded(opened, write, monkeypatch):
    for name in ("decode_stream", "read_tensor"):
        monkeypatch.setattr(header_module, name, lambda *_, **__: pytest.fail("content was read"))
    entries = opened.header["entries"]
    path = next(name for name in entries if name.startswith("mask/"))
    entries[path] |= {"shape": [1 << 16, 1 << 15], "zeros": 0}
    file = write(opened)
    with pytest.raises(InputError, match="expected shape"):
        load_run(file)
    many = Predictor(opened.header["base"]["name"])
    with pytest.raises(InputError, match="expected shape"):
        many.add(file, "x")


def test_declared_labels_draw_no_head(opened, write, monkeypatch):
    """A head is drawn only for a file with a head of that size."""
    monkeypatch.setattr(
        "maskjax.inference.load.with_head", lambda *_: pytest.fail("a head was drawn")
    )
    opened.header["task"]["labels"] = [str(i) for i in range(50_000)]
    with pytest.raises(InputError, match=r"expected shape \(16, 50000\)"):
        load_run(write(opened))


@pytest.mark.parametrize("config", [{"train": 3}, {"train": {"batch_size": "x"}}, {"task": []}])
def test_settings_of_the_wrong_type_are_refused(opened, write, config):
    opened.header["config"] |= config
    with pytest.raises(InputError, match="expected"):
        load_run(write(opened))
