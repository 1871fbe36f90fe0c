"""Header and tensors that do not fit each other, a foreign format, and an incomplete header."""

import copy
import math

import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.taskfile import read_task_file, save_task_file
from maskjax.taskfile.container import pack_container, unpack_container
from maskjax.taskfile.limits import MAX_WEIGHTS

PLACE = "mask/a/kernel"
HEAD = "weight/head/kernel"


@pytest.fixture
def edited(task, tmp_path):
    """Saves a task, changes what is in the file, signs it again and reads it."""
    save_task_file(tmp_path / "t", task)
    content = unpack_container((tmp_path / "t").read_bytes(), "t")

    def read(change):
        tensors, header = dict(content.tensors), copy.deepcopy(content.header)
        change(tensors, header)
        return read_task_file(pack_container(tensors, header), "t")

    return read


def test_file_without_edits_is_read(edited):
    assert edited(lambda tensors, header: None).masks.keys() == {"a/kernel", "b/kernel"}


EDITS = {
    "missing": (lambda t, h: t.pop(HEAD), rf"{HEAD}: in the header only"),
    "no masks": (lambda t, h: t.pop("masks"), "masks: in the header only"),
    "fewer masks": (lambda t, h: h["entries"].pop(PLACE), "damaged, or of another model"),
    "other masks": (lambda t, h: t.update(masks=t["masks"][:-1]), "damaged, or of another model"),
    "extra": (lambda t, h: t.update(x=np.zeros(2)), r"x: not in the header"),
    "both": (
        lambda t, h: (t.pop(HEAD), t.update(x=np.zeros(2))),
        rf"{HEAD}: in the header only; x: not in the header",
    ),
    "a misshapen mask": (lambda t, h: h["entries"][PLACE].update(shape=[50, 7]), "changed as"),
    "a misshapen head": (lambda t, h: h["entries"][HEAD].update(shape=[50, 7]), HEAD),
    "a wrong dtype": (lambda t, h: t.update({HEAD: t[HEAD].astype(np.float16)}), HEAD),
    "a dtype of integers": (
        lambda t, h: (
            t.update({HEAD: t[HEAD].astype(np.int32)}),
            h["entries"][HEAD].update(dtype="int32"),
        ),
        HEAD,
    ),
    "a negative shape": (lambda t, h: h["entries"][PLACE].update(shape=[-5, -7]), "with a shape"),
    "a shape of text": (lambda t, h: h["entries"][PLACE].update(shape=["5"]), "with a shape"),
    "no shape": (lambda t, h: h["entries"].update({PLACE: 3}), "with a shape"),
    "an unknown sort": (
        lambda t, h: (
            t.update({"other/x": np.zeros(1)}),
            h["entries"].update({"other/x": {"shape": [1], "dtype": "float64"}}),
        ),
        "other/x: expected mask, weight",
    ),
    "one factor": (
        lambda t, h: (t.pop("lora_a/a/kernel"), h["entries"].pop("lora_a/a/kernel")),
        "a/kernel: only one factor of two",
    ),
    "a digest of numbers": (lambda t, h: h["entries"][PLACE].update(digest=3), "digest"),
    "no entries": (lambda t, h: h.pop("entries"), "no entries"),
    "a newer format": (lambda t, h: h.update(format=99), r"format 1 to 2, got 99; upgrade maskjax"),
    "no format": (lambda t, h: h.pop("format"), "got None"),
    "no task": (lambda t, h: h.pop("task"), "task: missing"),
    "labels": (lambda t, h: h["task"].update(labels=["a", 3]), r"task.labels\[1\]: expected text"),
    "two faults": (
        lambda t, h: (h.pop("base"), h.update(scores={"dev": "high"})),
        r"base: missing; scores.dev: expected a number, got str high",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_that_do_not_fit_are_refused(edited, name):
    change, message = EDITS[name]
    with pytest.raises(InputError, match=message) as caught:
        edited(change)
    assert "\n" not in str(caught.value)


def test_too_many_masked_weights_are_refused(edited):
    huge = {"shape": [MAX_WEIGHTS, 16]}
    assert math.prod(huge["shape"]) > MAX_WEIGHTS
    with pytest.raises(InputError, match="masked weights, more than"):
        edited(lambda t, h: h["entries"].update({PLACE: huge}))
