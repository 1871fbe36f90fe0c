"""One payload that uses every part of the format."""

import numpy as np
import pytest

from maskjax.masking.packed import pack_bits
from maskjax.taskfile.codec import PackedMask, RandomMaskSpec, encode_masks, initial_mask

CodedExample = tuple[np.ndarray, dict[str, tuple[int, ...]], dict[str, PackedMask]]


@pytest.fixture(scope="session")
def coded_example() -> CodedExample:
    """Payload, shapes and masks: raw, no events, offsets, flips, a shape that fits no bytes."""
    random = np.random.default_rng(7)
    chances = 0.2 * np.exp(random.normal(0, 1.2, (32, 1)) + random.normal(0, 1.2, (1, 24)))
    starts = {"flips": RandomMaskSpec((11, 22), 1 << 30), "same": RandomMaskSpec((3, 4), 1 << 31)}
    flips = random.random((32, 16)) < 0.02
    masks = {
        "flips": initial_mask(starts["flips"], flips.shape).unpack() ^ flips,
        "noise": random.random((5, 3)) < 0.5,
        "odd": random.random((37, 11)) >= 0.03,
        "offsets": random.random((32, 24)) >= chances,
        "ones": np.ones((8, 8), bool),
        "same": initial_mask(starts["same"], (19, 19)).unpack(),
    }
    packed = {path: PackedMask(pack_bits(mask), mask.shape) for path, mask in masks.items()}
    shapes = {path: mask.shape for path, mask in masks.items()}
    return encode_masks(packed, starts), shapes, packed
