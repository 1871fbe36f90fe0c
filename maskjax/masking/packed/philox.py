"""Philox4x32-10: random words that are the same in every program and version.

A counter-based generator (no state): block `b` of the stream of key (k0, k1) is ten rounds of a
keyed mixing of the counter (b, 0, 0, 0), which yields the words 4b, 4b + 1, 4b + 2, 4b + 3. The
stream of `jax.random` may change between versions of jax; this one cannot, so that a task file
can store a random mask as its key.

References:
    Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011,
    https://doi.org/10.1145/2063384.2063405; known answers in Random123,
    https://github.com/DEShawResearch/random123.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
WORDS = 1 << 32

Counter = tuple[jax.Array, jax.Array, jax.Array, jax.Array]


class RandomMaskSpec(NamedTuple):
    """A random mask in twelve bytes: weight i is a zero if word i of the key's stream < cutoff.

    Attributes:
        key: The two key words (k0, k1), each in [0, 2³²).
        cutoff: In [0, 2³²); a weight is a zero with probability cutoff / 2³².
    """

    key: tuple[int, int]
    cutoff: int


def philox_block(counter: Counter, key: tuple[jax.Array, jax.Array]) -> Counter:
    """Mixes counters under a key; 32-bit arithmetic only, so it runs in every jax program.

    Example:
        >>> zero = jnp.zeros((), jnp.uint32)
        >>> [f"{int(word):08x}" for word in philox_block((zero,) * 4, (zero, zero))]
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """

    def mix(number: jax.Array, words: Counter) -> Counter:
        c0, c1, c2, c3 = words
        steps = jax.lax.convert_element_type(number, jnp.uint32)
        k0 = key[0] + steps * jnp.uint32(KEY_STEPS[0])
        k1 = key[1] + steps * jnp.uint32(KEY_STEPS[1])
        high0, low0 = _multiply(c0, MULTIPLIERS[0])
        high1, low1 = _multiply(c2, MULTIPLIERS[1])
        return high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0

    # A loop: XLA would fuse unrolled rounds into kernels that each repeat the earlier ones.
    return jax.lax.fori_loop(0, ROUNDS, mix, counter)


@functools.partial(jax.jit, static_argnames="count")
def philox_words(key: jax.Array, count: int) -> jax.Array:
    """The first words of a key's stream.

    Args:
        key: The two key words (k0, k1), uint32 of shape `[2]`.
        count: The number of words, at most 2³⁴ (the first counter word does not wrap).

    Returns:
        uint32 words of shape `[count]`.

    Example:
        >>> [f"{int(word):08x}" for word in philox_words(jnp.zeros(2, jnp.uint32), 2)]
        ['6627e8d5', 'e169c58d']
    """
    blocks = jnp.arange(-(-count // 4), dtype=jnp.uint32)
    zeros = jnp.zeros_like(blocks)
    words = philox_block((blocks, zeros, zeros, zeros), (key[:1], key[1:]))
    return jnp.stack(words, axis=1).ravel()[:count]


def mask_zeros(spec: RandomMaskSpec, first: int, blocks: int) -> np.ndarray:
    """The zeros in a range of blocks of a random mask, in NumPy.

    Its 64-bit products make it several times faster than `philox_block` without a compiler.

    Example:
        >>> mask_zeros(RandomMaskSpec((0, 0), 0xA0000000), first=0, blocks=1).tolist()
        [True, False, False, True]
    """
    words = _wide_blocks(np.arange(first, first + blocks, dtype=np.uint64), spec.key)
    zeros = np.empty((blocks, 4), bool)
    for column, word in enumerate(words):
        np.less(word, np.uint64(spec.cutoff), out=zeros[:, column])
    return zeros.ravel()


def _wide_blocks(index: np.ndarray, key: tuple[int, int]) -> tuple[np.ndarray, ...]:
    """`philox_block` of the counters (index, 0, 0, 0), with its words in uint64 arrays.

    All rounds reuse six arrays, `index` among them: new ones would cost a third of the time.
    """
    shift, low = np.uint64(32), np.uint64(0xFFFFFFFF)
    c0, c1, c2, c3, product0, product1 = index, *(np.zeros_like(index) for _ in range(5))
    k0, k1 = key
    for _ in range(ROUNDS):
        np.multiply(c0, np.uint64(MULTIPLIERS[0]), out=product0)
        np.multiply(c2, np.uint64(MULTIPLIERS[1]), out=product1)
        np.right_shift(product1, shift, out=c0)
        c0 ^= c1
        c0 ^= np.uint64(k0)
        np.right_shift(product0, shift, out=c2)
        c2 ^= c3
        c2 ^= np.uint64(k1)
        product1 &= low
        product0 &= low
        c1, c3, product0, product1 = product1, product0, c3, c1
        k0, k1 = (k0 + KEY_STEPS[0]) % WORDS, (k1 + KEY_STEPS[1]) % WORDS
    return c0, c1, c2, c3


def _multiply(word: jax.Array, factor: int) -> tuple[jax.Array, jax.Array]:
    """The high and the low half of a 64-bit product, by products of 16-bit halves."""
    shift, low = jnp.uint32(16), jnp.uint32(0xFFFF)
    word_high, word_low = word >> shift, word & low
    factor_high, factor_low = jnp.uint32(factor >> 16), jnp.uint32(factor & 0xFFFF)
    middle = word_high * factor_low + (word_low * factor_low >> shift)
    carry = word_low * factor_high + (middle & low)
    high = word_high * factor_high + (middle >> shift) + (carry >> shift)
    return high, word * jnp.uint32(factor)
