"""Malformed payloads: an InputError of one line, or masks of the declared shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskjax.errors import InputError
from maskjax.masking.packed import pack_bits
from maskjax.taskfile.codec import decode_masks

# The worked example of `docs/coding.md`: lanes, words, code, base, stride, one state.
WORKED = "0100000000000000012b0023b2c8942eae5d00"


def assert_harmless(payload: np.ndarray, shapes: dict[str, tuple[int, ...]]) -> bool:
    """Either an InputError of one line, or masks of these shapes; True for masks."""
    message = ""
    try:
        masks = decode_masks(payload, shapes)
    except InputError as error:
        message = str(error)
        masks = {}
    if not masks and shapes:
        assert message.startswith("masks")
        assert "\n" not in message
        return False
    for path, shape in shapes.items():
        assert masks[path].shape == shape
        np.testing.assert_array_equal(pack_bits(masks[path].unpack()), masks[path].bits)
    return True


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_mutated_payloads_do_no_harm(coded_example, count):
    payload, shapes, _ = coded_example
    random = np.random.default_rng(0)
    accepted = 0
    for _ in range(count):
        mutant = payload.copy()
        places = random.integers(
            len(mutant) if random.random() < 0.5 else 64, size=random.integers(1, 4)
        )
        mutant[places] = random.integers(256, size=len(places))
        if random.random() < 0.2:
            mutant = mutant[: random.integers(len(mutant) + 1)]
        accepted += assert_harmless(mutant, shapes)
    assert accepted < 0.16 * count  # raw bits, keys and cutoffs can change into others


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    payload=st.binary(max_size=80),
    shapes=st.lists(st.lists(st.sampled_from([0, 1, 3, 8, 16]), max_size=3), max_size=3),
)
def test_arbitrary_payloads_do_no_harm(payload, shapes):
    named = {str(i): tuple(shape) for i, shape in enumerate(shapes)}
    assert_harmless(np.frombuffer(payload, np.uint8), named)


def changed(place: int, *values: int) -> np.ndarray:
    """The worked example with other bytes at a place."""
    payload = np.frombuffer(bytes.fromhex(WORKED), np.uint8).copy()
    payload[place : place + len(values)] = values
    return payload


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (changed(8, 3), r"masks, kernel: encoding 3, and this maskjax reads 0 to 2"),
        (changed(9, 127), r"masks, kernel: classes 127"),
        (changed(10, 1), r"masks, kernel: classes 43, 35, 178"),
        (changed(9, 255), r"expected 18 bytes for these shapes, got 19"),
        (changed(0, 2), r"expected 27 bytes"),
        (changed(4, 255, 255, 255, 255), r"expected \d+ bytes"),
        (changed(18, 0x80), r"impossible state"),
        (changed(14, 0, 0, 0, 0, 0), r"impossible state|too early"),
        (changed(11, 0x50), r"last symbol|too early"),
        (np.zeros(5, np.uint8), r"ends within its records"),
        (np.zeros((8, 2), np.uint8), r"a row of uint8"),
        (np.zeros(8, np.int8), r"a row of uint8"),
    ],
)
def test_malformed_payloads_are_refused_with_a_reason(payload, message):
    with pytest.raises(InputError, match=message):
        decode_masks(payload, {"kernel": (16, 16)})


@pytest.mark.parametrize("shape", [(-1, 8), (-8, -8), (1 << 20, 1 << 20)])
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(InputError, match="masks, kernel: no mask has the shape"):
        decode_masks(changed(0), {"kernel": shape})


def test_too_few_lanes_are_refused_before_decoding():
    """A payload of a few bytes cannot cause hours of work."""
    with pytest.raises(InputError, match="do not belong on 1 lanes"):
        decode_masks(changed(0), {"kernel": (1 << 14, 1 << 14)})


@pytest.mark.parametrize(("size", "word"), [(200, "changes"), (231, "keeps")])
def test_padding_of_coded_masks_is_checked(size, word):
    """The worked example read as another shape, whose weight 231 does not exist."""
    with pytest.raises(InputError, match=f"masks, kernel: {word} weights that do not exist"):
        decode_masks(changed(0), {"kernel": (size,)})


def test_padding_of_raw_masks_is_checked():
    payload = np.array([0] * 8 + [0, 0xFF], np.uint8)
    with pytest.raises(InputError, match="masks, kernel: keeps weights that do not exist"):
        decode_masks(payload, {"kernel": (3,)})


@pytest.mark.parametrize("lanes", [0, 15, 4097, 1 << 18])
def test_lane_counts_of_no_encoder_are_refused(lanes):
    """One lane per 16,384 bytes bounds the steps, and 4,096 lanes bound the memory of a state."""
    shape = (1 << 11, 1 << 10)  # 262,144 bytes of events: 16 lanes or more
    record = bytes([1, 50, 0])
    states = np.full(lanes, 1 << 31, "<u8").tobytes()
    payload = lanes.to_bytes(4, "little") + bytes(4) + record + states
    with pytest.raises(InputError, match=f"do not belong on {lanes} lanes"):
        decode_masks(np.frombuffer(payload, np.uint8), {"kernel": shape})


def test_too_many_offsets_are_refused():
    record = bytes([1, 50, 2, 128, 128])
    shape = (1 << 30, 8)
    lanes = (1 << 30) >> 14
    states = np.full(lanes, 1 << 31, "<u8").tobytes()
    payload = lanes.to_bytes(4, "little") + bytes(4) + record + states
    with pytest.raises(InputError, match="offsets, more than"):
        decode_masks(np.frombuffer(payload, np.uint8), {"kernel": shape})
