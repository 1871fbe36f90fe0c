"""The stream that task files rely on: Random123's known answers, the same in both libraries."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking import uniform
from maskjax.masking.initializers import random_mask_spec
from maskjax.masking.packed import RandomMaskSpec, philox_words
from maskjax.masking.packed.philox import mask_zeros, philox_block

# `kat_vectors` of Random123: counter, key, answer of philox4x32 with 10 rounds.
KNOWN = """
00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1
"""
WORD = (1 << 32) - 1


def philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """The definition, in Python's integers."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = b >> 32 ^ c1 ^ k0, b & WORD, a >> 32 ^ c3 ^ k1, a & WORD
        k0, k1 = k0 + 0x9E3779B9 & WORD, k1 + 0xBB67AE85 & WORD
    return c0, c1, c2, c3


@pytest.mark.parametrize("line", KNOWN.split("\n")[1:-1])
def test_philox_gives_the_known_answers(line):
    words = [int(word, 16) for word in line.split()]
    counter, key, answer = words[:4], words[4:6], words[6:]
    assert philox(tuple(counter), (key[0], key[1])) == tuple(answer)
    c0, c1, c2, c3, k0, k1 = (jnp.uint32(word) for word in counter + key)
    mixed = jax.jit(philox_block)((c0, c1, c2, c3), (k0, k1))
    assert [int(word) for word in mixed] == answer


def test_words_count_blocks_of_four():
    key = (0x89ABCDEF, 0xFEDCBA98)
    words = philox_words(jnp.array(key, jnp.uint32), 4099).tolist()
    assert len(words) == 4099
    for block in (0, 1, 1023, 1024):
        first = 4 * block
        assert words[first : first + 4] == list(philox((block, 0, 0, 0), key))[: 4099 - first]


@pytest.mark.parametrize("first", [0, 5, (1 << 32) - 3])
def test_numpy_has_the_same_stream(first):
    key, cutoff = (WORD, 12345), 0x30000000
    zeros = mask_zeros(RandomMaskSpec(key, cutoff), first, blocks=3)
    words = [word for block in range(3) for word in philox((first + block, 0, 0, 0), key)]
    assert zeros.tolist() == [word < cutoff for word in words]


@pytest.mark.parametrize("sparsity", [1e-3, 0.05, 0.5])
def test_random_mask_spec_gives_the_initial_mask(sparsity):
    """Scores and integers give the same zeros, up to a borderline one in ten million."""
    key = jax.random.key(3)
    scores = np.asarray(uniform(sparsity)(key, jnp.ones((256, 256))))
    zeros = mask_zeros(random_mask_spec(key, sparsity), 0, scores.size // 4).reshape(scores.shape)
    assert ((scores <= 0.01) != zeros).sum() <= 1
    assert zeros.mean() == pytest.approx(sparsity, rel=0.3)


def test_full_sparsity_has_the_largest_cutoff():
    assert random_mask_spec(jax.random.key(0), 1.0).cutoff == WORD


def test_zero_words_are_an_empty_array():
    assert philox_words(jnp.zeros(2, jnp.uint32), 0).shape == (0,)
