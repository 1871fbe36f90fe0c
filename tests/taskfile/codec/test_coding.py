"""Masks round-trip bit for bit, in about as many bytes as their entropy."""

import threading
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskjax.masking.packed import pack_bits
from maskjax.masking.packed.philox import mask_zeros
from maskjax.taskfile.codec import (
    Encoding,
    PackedMask,
    RandomMaskSpec,
    decode_masks,
    encode_masks,
    initial_mask,
    read_encodings,
)

SHAPES = [(), (0, 3), (1,), (7,), (64,), (8, 8), (5, 16), (24, 16), (3, 16, 8), (40, 3)]


def packed(mask: np.ndarray) -> PackedMask:
    return PackedMask(pack_bits(mask), mask.shape)


def binary_entropy(chance: float) -> float:
    return float(-(chance * np.log2(chance) + (1 - chance) * np.log2(1 - chance)))


def ratio(mask: np.ndarray, start: RandomMaskSpec | None = None) -> float:
    """Bytes over size × entropy of the density (of the flips, with a start)."""
    starts = None if start is None else {"leaf": start}
    payload = encode_masks({"leaf": packed(mask)}, starts)
    decoded = decode_masks(payload, {"leaf": mask.shape})["leaf"].unpack()
    np.testing.assert_array_equal(decoded, mask)
    other = np.ones_like(mask) if start is None else initial_mask(start, mask.shape).unpack()
    return 8 * len(payload) / (mask.size * binary_entropy(float((mask != other).mean())))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    leaves=st.lists(
        st.tuples(
            st.sampled_from(SHAPES),
            st.sampled_from([0, 1e-3, 0.05, 0.4, 0.97, 1]),
            st.sampled_from([0, 1e-2, 0.2]),
            st.booleans(),
        ),
        max_size=5,
    ),
    encodings=st.sampled_from([(), (Encoding.ENTROPY,), (Encoding.FLIPS,), tuple(Encoding)]),
    seed=st.integers(0, 99),
)
def test_every_mask_round_trips(leaves, encodings, seed):
    random = np.random.default_rng(seed)
    masks, starts = {}, {}
    for number, (shape, zeros, flips, has_start) in enumerate(leaves):
        mask = random.random(shape) >= zeros
        if has_start:
            starts[str(number)] = RandomMaskSpec((seed, number), int(zeros * (2**32 - 1)))
            mask = initial_mask(starts[str(number)], shape).unpack()
        masks[str(number)] = packed(mask ^ (random.random(shape) < flips))
    payload = encode_masks(masks, starts, encodings=encodings)
    decoded = decode_masks(payload, {path: mask.shape for path, mask in masks.items()})
    assert list(decoded) == list(masks)
    for path, mask in masks.items():
        assert decoded[path].shape == mask.shape
        np.testing.assert_array_equal(decoded[path].bits, mask.bits)


@pytest.mark.parametrize("density", [0.02, 0.05, 0.15, 0.5, 0.85])
def test_independent_weights_cost_their_entropy(density):
    random = np.random.default_rng(0)
    assert ratio(random.random((384, 384)) >= density) < 1.013


def test_flips_cost_their_entropy():
    random = np.random.default_rng(0)
    start = RandomMaskSpec((3, 4), round(0.05 * 2**32))
    flips = random.random((384, 384)) < 0.01
    mask = initial_mask(start, flips.shape).unpack() ^ flips
    assert ratio(mask, start) < 1.03


@pytest.mark.parametrize("axis", [0, 1])
def test_rows_and_columns_of_their_own_density_cost_less(axis):
    random = np.random.default_rng(0)
    spread = np.exp(random.normal(0, 0.8, 384))
    chances = 0.05 * spread / spread.mean()
    mask = random.random((384, 384)) >= np.expand_dims(chances, 1 - axis)
    ideal = np.mean([binary_entropy(float(chance)) for chance in chances])
    mean = binary_entropy(float(1 - mask.mean()))
    assert ratio(mask) < 1.05 * ideal / mean < 1


def test_rows_and_columns_of_joint_density_cost_less():
    random = np.random.default_rng(0)
    chances = 0.05 * np.exp(random.normal(-0.3, 0.6, (384, 1)) + random.normal(0, 0.6, (1, 384)))
    assert ratio(random.random((384, 384)) >= chances) < 0.96


def test_dead_rows_and_columns_cost_almost_no_bytes():
    random = np.random.default_rng(0)
    mask = random.random((384, 384)) >= 0.05
    before = len(encode_masks({"leaf": packed(mask)}))
    mask[random.permutation(384)[:40]] = True
    mask[:, random.permutation(384)[:40]] = True
    alive = (344 / 384) ** 2
    assert len(encode_masks({"leaf": packed(mask)})) < before * alive * 1.03


@pytest.mark.parametrize(("flips", "most"), [(0, 10), (1, 40), (15, 80)])
def test_few_zeros_cost_few_bytes(flips, most):
    mask = np.ones((384, 384), bool)
    mask.ravel()[np.random.default_rng(0).permutation(mask.size)[:flips]] = False
    assert len(encode_masks({"leaf": packed(mask)})) <= most


def test_the_smallest_encoding_is_chosen():
    random = np.random.default_rng(0)
    start = RandomMaskSpec((1, 2), 1 << 29)
    near = initial_mask(start, (64, 64)).unpack() ^ (random.random((64, 64)) < 0.01)
    masks = {
        "noise": packed(random.random((64, 64)) < 0.5),
        "sparse": packed(random.random((64, 64)) >= 0.01),
        "near": packed(near),
    }
    payload = encode_masks(masks, dict.fromkeys(masks, start))
    chosen = read_encodings(payload, {path: mask.shape for path, mask in masks.items()})
    assert chosen == {
        "noise": Encoding.RAW,
        "sparse": Encoding.ENTROPY,
        "near": Encoding.FLIPS,
    }


def test_incompressible_masks_grow_by_one_byte():
    masks = {str(i): packed(np.random.default_rng(i).random(64) < 0.5) for i in range(3)}
    assert len(encode_masks(masks)) == 8 + 3 * (1 + 8)


@pytest.mark.parametrize("bits", [[0, 0], [2], [0.0]])
def test_masks_must_be_well_formed(bits):
    with pytest.raises(ValueError, match=r"shape \(1,\) for leaf"):
        encode_masks({"leaf": PackedMask(np.array(bits, np.array(bits).dtype), (1,))})


def test_initial_masks_do_not_depend_on_chunks():
    start, shape = RandomMaskSpec((5, 6), 1 << 28), (70_001, 3)
    zeros = mask_zeros(start, 0, -(-70_001 * 3 // 4))[: 70_001 * 3]
    np.testing.assert_array_equal(initial_mask(start, shape).unpack().ravel(), ~zeros)
    assert zeros.mean() == pytest.approx(1 / 16, rel=0.02)


def test_decoding_holds_less_than_a_byte_per_weight():
    shape, start = (768, 3072), RandomMaskSpec((1, 2), 1 << 28)
    random = np.random.default_rng(0)
    flips = pack_bits(random.random(shape, np.float32) < 0.02)
    masks = {str(i): PackedMask(initial_mask(start, shape).bits ^ flips, shape) for i in range(8)}
    payload = encode_masks(masks, dict.fromkeys(masks, start), encodings=(Encoding.FLIPS,))
    shapes = dict.fromkeys(masks, shape)
    decode_masks(payload, shapes)  # fills the tables that all payloads share
    tracemalloc.start()
    decode_masks(payload, shapes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    shortcuts = 256 * 4096 * 8
    assert peak - shortcuts < 0.6 * 8 * 768 * 3072
    assert threading.active_count() < 20
