"""Every field of a header has a type and a range; keys that are not known are left alone."""

import copy

import numpy as np
import pytest

from benchmarks.mutants import Opened, open_payload, sign
from maskjax.adaptation import Delta
from maskjax.errors import InputError
from maskjax.taskfile import read_task_file, save_task_file


@pytest.fixture
def opened(task, tmp_path) -> Opened:
    save_task_file(tmp_path / "t", task)
    opened = open_payload((tmp_path / "t").read_bytes())
    return opened._replace(header=copy.deepcopy(opened.header))


def read(opened: Opened):
    return read_task_file(sign(opened), "t")


MASK = "entries/mask\0a/kernel/"
REFUSED = {
    "format": (True, 2.0, "2", None, 3),
    "maskjax": (1, "", "a\x1b[31m"),
    "needs": (["calibration"], "pooling", [1]),
    "digest_format": (0, 3, 1.0, True, "2"),
    "task": ([], None),
    "task/name": ("", "x" * 1001, "a\nb", "\ud800", 1),
    "task/kind": ("classify", 1, None, ["tokens"]),
    "task/labels": (["a", "a"], [], ["a", 1], ["\udfff", "b"], "no", ["a", "x" * 1001]),
    "task/metric": ("", "loss", 1),
    "task/text": ([], "text", [""], [1]),
    "task/label": (1, ["label"]),
    "task/choices": (5, "ab", [5], ["a", "b"]),
    "scores/dev": ("1", None, True, float("nan"), float("inf"), 10**400, [0.5]),
    "base/name": ("", 1, "a\nb"),
    "base/revision": (1, "", []),
    "base/digest": ("", "x" * 16, "0" * 15, "A" * 16, 1),
    "tokenizer/max_length": (16.0, 0, -1, 10**400, True, "16"),
    "mask/polarity": ("0 keeps, 1 drops", 1, ""),
    "mask/threshold": ("0.01", float("nan"), True, None),
    "mask/rules": ("x", [1], ["x" * 10_001]),
    "config/adaptation": ({}, [], None),
    "config/adaptation/method": (1, ""),
    "config/task": (5, ["stride"], *({"stride": n} for n in (-1, 1.0, True, "8", 2**21))),
    MASK + "shape": ([5.0, 7], [5, 7.0], [-5, -7], [True, 7], ["5", 7], 35, [5] * 17, [2**62, 2]),
    MASK + "zeros": (-1, 36, 1.0, True, None, "1"),
    MASK + "digest": (1, "0", None),
    "entries/weight\0head/kernel/dtype": ("float64", 1, None, ["float32"], "F32"),
    "entries/weight\0head/kernel/shape": ([2, 7], [14.0], [7, 2, 1]),
}


def holder_of(header: dict, place: str) -> tuple[dict, str]:
    *parts, last = place.split("/") if "\0" not in place else parts_of_entry(place)
    for part in parts:
        header = header[part]
    return header, last


def parts_of_entry(place: str) -> list[str]:
    first, _, rest = place.partition("/")
    name, key = rest.rsplit("/", 1)
    return [first, name.replace("\0", "/"), key]


@pytest.mark.parametrize("place", REFUSED)
def test_values_out_of_range_are_refused(opened, place):
    for value in REFUSED[place]:
        changed = opened._replace(header=copy.deepcopy(opened.header))
        holder, key = holder_of(changed.header, place)
        holder[key] = value
        with pytest.raises(InputError) as caught:
            read(changed)
        assert str(caught.value).startswith("t: "), value
        assert str(caught.value).isprintable(), value
        assert len(str(caught.value)) < 1000


REQUIRED = [place for place in REFUSED if place not in ("needs", "digest_format", "task/label",
            "task/choices", "scores/dev", "config/task", MASK + "digest")]  # fmt: skip


@pytest.mark.parametrize("place", REQUIRED)
def test_missing_keys_are_refused(opened, place):
    holder, key = holder_of(opened.header, place)
    del holder[key]
    with pytest.raises(InputError):
        read(opened)


def test_extra_keys_are_ignored_at_every_level(opened):
    header = opened.header
    for level in (header, header["task"], header["base"], header["tokenizer"], header["mask"],
                  header["config"], header["config"]["adaptation"],
                  header["entries"]["mask/a/kernel"]):  # fmt: skip
        level["note"] = {"later": [1, None, "ü"]}
    file = read(opened)
    assert file.meta["note"] == file.meta["task"]["note"] == {"later": [1, None, "ü"]}


def test_many_problems_are_a_short_line(opened):
    opened.header["entries"] |= {f"other/{i}": {} for i in range(500)}
    with pytest.raises(InputError, match="; and more") as caught:
        read(opened)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["<f4", "<f2"])
def test_weights_that_are_not_finite_are_refused(task, tmp_path, value, dtype):
    head = Delta.of(weights={"head/kernel": np.ones((7, 2), dtype)})
    save_task_file(tmp_path / "t", task._replace(delta=task.delta | head))
    opened = open_payload((tmp_path / "t").read_bytes())
    body = bytearray(opened.body)
    start = opened.outer["weight/head/kernel"]["data_offsets"][0]
    number = np.array(value, dtype).tobytes()
    body[start + 8 : start + 8 + len(number)] = number
    with pytest.raises(InputError, match="weight/head/kernel has numbers that are infinite or NaN"):
        read(opened._replace(body=bytes(body)))


def test_wrong_count_of_zeros_is_refused(opened):
    opened.header["entries"]["mask/a/kernel"]["zeros"] += 1
    with pytest.raises(InputError, match=r"a/kernel has \d zeros, its header says"):
        read(opened)
