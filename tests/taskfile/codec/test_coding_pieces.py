"""Masks are decoded in pieces, whose size does not change the result."""

import tracemalloc

import numpy as np
import pytest

from maskjax.masking.packed import PackedMask
from maskjax.taskfile.codec import Encoding, decode_masks, encode_masks, zeros_in
from maskjax.taskfile.codec.order import RowOrder, zigzag_decode


def uneven(seed: int, shape: tuple[int, ...]) -> PackedMask:
    """Rows and columns of all densities, so that both have offsets."""
    random = np.random.default_rng(seed)
    chances = random.random((*shape[:1], *(1 for _ in shape[1:]))) ** 3 * random.random(shape[-1:])
    return PackedMask.of(random.random(shape) >= chances)


@pytest.mark.parametrize("chunk", [8, 24, 256, 1 << 19])
@pytest.mark.parametrize("block", [8, 1 << 20])
@pytest.mark.parametrize("shape", [(64, 24), (8, 512), (333, 7), (512, 8), (1000,)])
def test_masks_do_not_depend_on_chunk_size(monkeypatch, shape, block, chunk):
    monkeypatch.setattr("maskjax.taskfile.codec.encode._BYTES_PER_LANE", 30)
    masks = {"a": uneven(0, shape), "b": uneven(1, shape)}
    payload = encode_masks(masks, encodings=(Encoding.ENTROPY,))
    monkeypatch.setattr("maskjax.taskfile.codec.decode._CHUNK", chunk)
    monkeypatch.setattr("maskjax.taskfile.codec.order._BLOCK", block)
    decoded = decode_masks(payload, dict.fromkeys(masks, shape))
    for path, mask in masks.items():
        np.testing.assert_array_equal(decoded[path].bits, mask.bits)


@pytest.mark.parametrize("block", [1, 7, 100, 1 << 20])
def test_row_order_matches_numpy(monkeypatch, block):
    monkeypatch.setattr("maskjax.taskfile.codec.order._BLOCK", block)
    small = np.random.default_rng(0).integers(0, 256, 100).astype(np.uint8) // 16
    order, expected = RowOrder(small), np.argsort(zigzag_decode(small), kind="stable")
    for first, last in ((0, 100), (0, 0), (3, 4), (17, 90), (99, 100)):
        np.testing.assert_array_equal(order.rows(first, last), expected[first:last])
    np.testing.assert_array_equal(order.offsets(np.arange(100)), zigzag_decode(small)[expected])


def test_counted_zeros_match_the_mask():
    mask = np.random.default_rng(0).random((1001, 3001)) > 0.3
    assert zeros_in(PackedMask.of(mask)) == int((~mask).sum())


@pytest.mark.parametrize("shape", [(1 << 11, 1 << 14), ((1 << 25) - 3,), (8, 1 << 22)])
def test_decoding_memory_is_near_the_size_of_the_masks(shape, monkeypatch):
    """One matrix, tall or wide."""
    monkeypatch.setattr("maskjax.taskfile.codec.density_fit.STRIDES", ())  # encodes faster
    bits = np.full(-(-int(np.prod(shape)) // 8), 255, np.uint8)
    bits[::97] = 127
    bits[-1:] >>= -int(np.prod(shape)) % 8
    payload = encode_masks({"x": PackedMask(bits, shape)})
    decode_masks(payload, {"x": shape})  # fills the tables that all payloads share
    tracemalloc.start()
    decoded = decode_masks(payload, {"x": shape})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(decoded["x"].bits, bits)
    assert peak < 1.1 * bits.nbytes + 12_000_000


def test_large_narrow_masks_have_no_offsets(monkeypatch):
    """The offsets of all masks of a file must stay within what a reader holds."""
    masks = {"a": uneven(0, (512, 8)), "b": uneven(1, (64, 64))}
    before = len(encode_masks({"a": masks["a"]}))
    monkeypatch.setattr("maskjax.taskfile.codec.encode.MAX_OFFSETS", 100)
    monkeypatch.setattr("maskjax.taskfile.codec.decode.MAX_OFFSETS", 128)
    assert len(encode_masks({"a": masks["a"]})) > before
    payload = encode_masks(masks, encodings=(Encoding.ENTROPY,))
    decoded = decode_masks(payload, {path: mask.shape for path, mask in masks.items()})
    np.testing.assert_array_equal(decoded["b"].bits, masks["b"].bits)
