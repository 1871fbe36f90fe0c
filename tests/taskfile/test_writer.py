"""The writer refuses all that a reader refuses, and leaves no file."""

import copy
import math

import numpy as np
import pytest

from maskjax.adaptation import Delta
from maskjax.errors import InputError
from maskjax.masking.packed import PackedMask
from maskjax.taskfile import TaskFile, check_meta, read_task_file, save_task_file, write
from maskjax.taskfile.limits import MAX_ENTRIES, MAX_VALUES, MAX_WEIGHTS


def add(task: TaskFile, **operations: dict) -> TaskFile:
    return task._replace(delta=task.delta | Delta.of(**operations))


def replaced(task: TaskFile, path: str, leaf: np.ndarray) -> TaskFile:
    return add(task, weights={path: leaf})


def with_meta(task: TaskFile, part: str, **values: object) -> TaskFile:
    return task._replace(meta={**task.meta, part: {**task.meta[part], **values}})


def without(task: TaskFile, key: str) -> TaskFile:
    return task._replace(meta={name: value for name, value in task.meta.items() if name != key})


HUGE = PackedMask(np.zeros(1, np.uint8), (MAX_WEIGHTS, 2))
ONES = np.ones((7, 2), np.float32)
REFUSED = {
    "float64": (lambda t: replaced(t, "x", np.ones(2)), "none of float32.*float64"),
    "integers": (lambda t: replaced(t, "x", np.ones(2, np.int32)), "int32"),
    "NaN": (lambda t: replaced(t, "x", ONES * np.nan), "weight/x has numbers that are"),
    "infinite": (lambda t: replaced(t, "x", ONES / 0), "weight/x has numbers that are"),
    "no task": (lambda t: without(t, "task"), "task: missing"),
    "no base": (lambda t: without(t, "base"), "base: missing"),
    "no rules": (lambda t: with_meta(t, "mask", rules=3), "mask.rules: expected a list"),
    "an empty path": (lambda t: replaced(t, "", ONES), "and a path"),
    "a path of two lines": (lambda t: replaced(t, "a\nb", ONES), "printable"),
    "a long path": (lambda t: replaced(t, "x" * 1001, ONES), "1000 printable"),
    "many weights": (lambda t: t.with_masks({"x": HUGE}), "packed bits|masked weights"),
    "many leaves": (
        lambda t: add(t, weights={str(i): ONES for i in range(MAX_ENTRIES + 1)}),
        "entries, more than",
    ),
    "factors": (
        lambda t: add(t, low_rank={"x": (ONES, ONES)}),
        "cannot be multiplied",
    ),
    "a mask of another shape": (lambda t: replaced(t, "a/kernel", ONES), "changed as"),
    "a digest": (lambda t: t._replace(digests={"a/kernel": "0123"}), "16 hexadecimal digits"),
    "a kind": (lambda t: with_meta(t, "task", kind="new"), "task.kind: expected classification"),
    "a metric": (lambda t: with_meta(t, "task", metric="new"), "task.metric: expected one of"),
    "a surrogate": (lambda t: with_meta(t, "task", labels=["a", "\ud800"]), "lone surrogate"),
    "a long label": (lambda t: with_meta(t, "task", labels=["a", "x" * 1001]), "1,000 characters"),
    "equal labels": (lambda t: with_meta(t, "task", labels=["a", "a"]), "different names"),
    "no labels": (lambda t: with_meta(t, "task", labels=[]), "do not fit the kind"),
    "choices": (lambda t: with_meta(t, "task", choices=5), "task.choices: expected a list"),
    "a score": (lambda t: with_meta(t, "scores", dev=math.nan), "scores.dev: expected a finite"),
    "a NumPy score": (lambda t: with_meta(t, "scores", dev=np.float32(1)), "not JSON"),
    "a length": (lambda t: with_meta(t, "tokenizer", max_length=16.0), "whole number, got float"),
    "NaN elsewhere": (lambda t: with_meta(t, "config", more=math.inf), "not finite"),
    "a surrogate elsewhere": (lambda t: with_meta(t, "config", more="\ud800"), "no Unicode"),
    "many values": (
        lambda t: with_meta(t, "config", more=[0] * MAX_VALUES),
        f"more than {MAX_VALUES:,}",
    ),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("name", REFUSED)
def test_writer_refuses_before_it_writes(tmp_path, task, name):
    change, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as caught:
        save_task_file(tmp_path / "t", change(task))
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_encoded_for_a_bad_header(task, tmp_path, monkeypatch):
    monkeypatch.setattr(write, "encode_tensors", lambda *_: pytest.fail("encoded"))
    with pytest.raises(InputError, match="scores: missing"):
        save_task_file(tmp_path / "t", without(task, "scores"))


def test_a_header_is_checked_before_training(task):
    meta = copy.deepcopy(task.meta)
    del meta["maskjax"], meta["base"]["digest"]
    check_meta(meta, "the run")
    meta["task"]["labels"] = ("no", "yes " * 400)
    with pytest.raises(InputError, match=r"^the run: .*task.labels\[1\]"):
        check_meta(meta, "the run")


def test_saving_again_gives_the_same_bytes(task, tmp_path):
    save_task_file(tmp_path / "one", task)
    once = read_task_file((tmp_path / "one").read_bytes(), "one")
    save_task_file(tmp_path / "two", once)
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()
