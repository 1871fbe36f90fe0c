"""The shell of a task file: every changed bit is noticed, and errors name the file."""

import hashlib
import json

import numpy as np
import pytest
from safetensors.numpy import save

from maskjax.errors import InputError
from maskjax.taskfile.container import pack_container, unpack_container

TENSORS = {"a": np.arange(6, dtype=np.uint8), "b": np.ones((2, 2), np.float32)}
HEADER = {"format": 1, "labels": ['"checksum": "00"', "ü"]}


@pytest.fixture
def payload():
    return pack_container(TENSORS, HEADER)


def test_container_round_trips(payload):
    tensors, header = unpack_container(payload, "t")
    assert header == HEADER
    assert tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], tensor)


def test_checksum_matches_the_documented_format(payload):
    text = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])["__metadata__"]
    digits = json.loads(text["maskjax"])["checksum"].encode()
    assert payload.count(digits) == 1
    assert hashlib.sha256(payload.replace(digits, b"0" * 64)).hexdigest().encode() == digits


def test_every_flipped_bit_is_detected(payload):
    for place in range(8 * len(payload)):
        changed = bytearray(payload)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(InputError, match=r"^t: "):
            unpack_container(bytes(changed), "t")


def test_every_truncation_is_detected(payload):
    for length in range(len(payload)):
        with pytest.raises(InputError, match=r"^t: damaged"):
            unpack_container(payload[:length], "t")
    with pytest.raises(InputError, match="checksum"):
        unpack_container(payload + b"x", "t")


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "longer than the file"),
        ((1 << 62).to_bytes(8, "little") + b"{}", "longer than the file"),
        (b"\x02" + bytes(7) + b"[]", "no JSON object"),
        (b"\x05" + bytes(7) + b"[[[[[", "no JSON"),
        (save({"x": np.zeros(1)}), "not a task file of maskjax"),
        (save({"x": np.zeros(1)}, metadata={"maskjax": "{}"}), "no checksum"),
        ((200_000).to_bytes(8, "little") + b"[" * 200_000, "no JSON"),
    ],
)
def test_other_bytes_are_refused_as_task_file(payload, message):
    with pytest.raises(InputError, match=message) as caught:
        unpack_container(payload, "t")
    assert "\n" not in str(caught.value)
