"""Packed bits against sums of powers of two, both ways, in NumPy and in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maskjax.masking.packed import pack_bits, packed_size, unpack_bits

SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)
quick = settings(max_examples=25, deadline=None, derandomize=True)


def packed_by_hand(mask: np.ndarray) -> list[int]:
    flat = [int(bit) for bit in mask.ravel()]
    return [sum(b << i for i, b in enumerate(flat[s : s + 8])) for s in range(0, len(flat), 8)]


def random_mask(shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(np.random.default_rng(0).random(shape) < 0.6)


@quick
@given(shape=SHAPES)
@example(shape=())
@example(shape=(0, 3))
@example(shape=(8,))
@example(shape=(3, 3))
def test_pack_and_unpack_round_trip(shape):
    mask = random_mask(shape)
    packed = pack_bits(mask)
    assert packed.tolist() == packed_by_hand(mask)
    assert (packed.dtype, packed.shape) == (np.uint8, (packed_size(shape),))
    unpacked = unpack_bits(packed, shape)
    assert isinstance(unpacked, np.ndarray)
    assert unpacked.dtype == bool
    np.testing.assert_array_equal(unpacked, mask, strict=True)


@settings(quick, max_examples=8)
@given(shape=SHAPES)
@example(shape=())
@example(shape=(0, 3))
@example(shape=(3, 3))
def test_jax_agrees_bit_for_bit(shape):
    mask = random_mask(shape)
    packed = pack_bits(jnp.asarray(mask))
    assert isinstance(packed, jax.Array)
    np.testing.assert_array_equal(np.asarray(packed), pack_bits(mask), strict=True)
    unpacked = unpack_bits(packed, shape)
    assert isinstance(unpacked, jax.Array)
    np.testing.assert_array_equal(np.asarray(unpacked), mask, strict=True)


def test_the_first_weight_is_the_lowest_bit():
    """This is the order of the file format; the last seven bits are padding."""
    mask = np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1]], bool)
    assert pack_bits(mask).tolist() == [0b00001101, 0b00000001]
    assert pack_bits(mask.T).tolist() == [0b01000011, 0b00000001]


def test_padding_bits_are_zero():
    assert pack_bits(np.ones(3, bool)).tolist() == [0b111]
    assert pack_bits(jnp.ones(3, bool)).tolist() == [0b111]


def test_padding_bits_are_not_read():
    assert unpack_bits(np.array([0xFF], np.uint8), (3,)).tolist() == [True] * 3


@pytest.mark.parametrize("dtype", [np.float32, np.int32, jnp.bfloat16])
@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_every_number_but_zero_counts_as_one(array, dtype):
    numbers = array(np.array([0, 1, -1, 2, 0, -0.0, 3, 0, 0], dtype))
    assert pack_bits(numbers).tolist() == [0b01001110, 0]


def test_packing_round_trips_under_jit():
    mask = random_mask((3, 5))
    there_and_back = jax.jit(lambda m: unpack_bits(pack_bits(m), (3, 5)))
    np.testing.assert_array_equal(there_and_back(jnp.asarray(mask)), mask)


@pytest.mark.parametrize(
    "packed",
    [
        np.zeros(1, np.uint8),
        np.zeros(3, np.uint8),
        np.zeros((2, 1), np.uint8),
        np.zeros(2, np.int8),
        jnp.zeros(3, jnp.uint8),
    ],
)
def test_bytes_that_do_not_fit_the_shape_are_refused(packed):
    with pytest.raises(ValueError, match=r"2 uint8 bytes for a mask of shape \(3, 5\)"):
        unpack_bits(packed, (3, 5))
