"""Bytes and seconds of saved masks: the coder of task files against well-kept libraries.

    python -m benchmarks.codec                                           # random masks
    python -m benchmarks.codec --files runs/quality/grid/*/task.safetensors   # and learned ones
    python -m benchmarks.codec --bert                                    # the size of BERT-base

Ratios are to the entropy of the matrices' densities: size · H(zeros / size), summed. Seconds are
those of a clock, the fastest of three times. Libraries that are not installed (`pip install
zstandard brotli constriction pyroaring`) are left out.
"""

import importlib
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro

from benchmarks.harness import timed
from maskjax.masking.packed import count_packed
from maskjax.taskfile import binary_entropy, entropy_bytes, load_task_file
from maskjax.taskfile.codec import (
    PackedMask,
    RandomMaskSpec,
    decode_masks,
    encode_masks,
    initial_mask,
)

Masks = dict[str, PackedMask]


class Codec(NamedTuple):
    """A way to write masks. `decode` gets what `encode` returned, and the masks for shapes."""

    encode: Callable[[Masks], Any]
    decode: Callable[[Any, Masks], Masks]
    size: Callable[[Any], int] = lambda parts: sum(len(part) for part in parts)


def main(files: tuple[Path, ...] = (), bert: bool = False) -> None:
    """Prints the tables.

    Args:
        files: Task files with masks.
        bert: Only measure a set of masks of BERT-base's size.
    """
    if bert:
        print_bert()
        return
    print("| masks | codec | bytes | ratio | encode s | decode s |\n|---|---|---|---|---|---|")
    for density in (0.01, 0.05, 0.15):
        print_codecs(
            f"random {density:.0%}", random_masks({str(i): (384, 384) for i in range(8)}, density)
        )
    for file in files:
        print_codecs(file.parent.name, load_task_file(file).masks)


def print_codecs(label: str, masks: Masks) -> None:
    """Prints one row per codec."""
    for name, codec in codecs().items():
        payload, encode_seconds = fastest(lambda codec=codec: codec.encode(masks))
        decoded, decode_seconds = fastest(lambda codec=codec, p=payload: codec.decode(p, masks))
        check(decoded, masks)
        size = codec.size(payload)
        print(
            f"| {label} | {name} | {size:,} | {size / entropy(masks):.3f} "
            f"| {encode_seconds:.2f} | {decode_seconds:.2f} |",
            flush=True,
        )


def codecs() -> dict[str, Codec]:
    """Every codec whose library is there."""
    found = {"maskjax": Codec(encode_masks, decode_ours, len)}
    found["zlib 9"] = on_bytes(lambda data: zlib.compress(data, 9), zlib.decompress)
    found["lzma 9"] = on_bytes(lambda data: lzma.compress(data, preset=9), lzma.decompress)
    if zstd := library("zstandard"):
        found["zstd 19"] = on_bytes(zstd.ZstdCompressor(19).compress, zstd.decompress)
    if brotli := library("brotli"):
        found["brotli 11"] = on_bytes(brotli.compress, brotli.decompress)
    if roaring := library("pyroaring"):
        found["roaring"] = Codec(
            lambda masks: [roaring.BitMap(zeros(m)).serialize() for m in masks.values()],
            lambda parts, masks: {
                path: from_zeros(np.array(roaring.BitMap.deserialize(part)), masks[path])
                for path, part in zip(masks, parts, strict=True)
            },
        )
    if constriction := library("constriction"):
        found["constriction, bits"] = constriction_codec(constriction)
    return found


def library(name: str) -> Any:
    """A module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None


def on_bytes(compress: Callable[[bytes], bytes], restore: Callable[[bytes], bytes]) -> Codec:
    """A general compressor, matrix by matrix on packed bits."""
    return Codec(
        lambda masks: [compress(mask.bits.tobytes()) for mask in masks.values()],
        lambda parts, masks: {
            path: PackedMask(np.frombuffer(restore(part), np.uint8), masks[path].shape)
            for path, part in zip(masks, parts, strict=True)
        },
    )


def constriction_codec(library: Any) -> Codec:
    """Range coding of single bits, with the density of each matrix as its only parameter."""
    bernoulli = library.stream.model.Bernoulli

    def encode(masks: Masks) -> list[tuple[np.ndarray, float]]:
        parts = []
        for mask in masks.values():
            bits = mask.unpack().ravel().astype(np.int32)
            chance = min(max(float(bits.mean()), 1e-6), 1 - 1e-6)
            coder = library.stream.queue.RangeEncoder()
            coder.encode(bits, bernoulli(chance))
            parts.append((coder.get_compressed(), chance))
        return parts

    def decode(parts: list[tuple[np.ndarray, float]], masks: Masks) -> Masks:
        decoded = {}
        for (path, mask), (words, chance) in zip(masks.items(), parts, strict=True):
            size = int(np.prod(mask.shape))
            bits = library.stream.queue.RangeDecoder(words).decode(bernoulli(chance), size)
            decoded[path] = PackedMask.of(bits.reshape(mask.shape))
        return decoded

    return Codec(encode, decode, lambda parts: sum(words.nbytes + 4 for words, _ in parts))


def print_bert() -> None:
    """The bars: a mask set of BERT-base's size, entropy-coded and as flips."""
    block = [(768, 768)] * 4 + [(768, 3072), (3072, 768)]
    shapes = {f"{layer}/{i}": shape for layer in range(10) for i, shape in enumerate(block)}
    shapes["pooler"] = (768, 768)
    starts = {
        path: RandomMaskSpec((index, 0), round(0.05 * 2**32)) for index, path in enumerate(shapes)
    }
    print(
        "| BERT-base, 71.4 M weights | bytes | ratio | encode s | decode s |\n|---|---|---|---|---|"
    )
    for density in (0.001, 0.05, 0.15):
        print_bar(f"{density:.1%} zeros", random_masks(shapes, density), None, density)
    for density in (0.001, 0.01, 0.05):
        changes = random_masks(shapes, density)
        flipped = {
            path: PackedMask(
                ~change.bits ^ initial_mask(starts[path], shapes[path]).bits, change.shape
            )
            for path, change in changes.items()
        }
        print_bar(f"5% zeros, {density:.1%} flips", flipped, starts, density)


def print_bar(
    label: str, masks: Masks, starts: dict[str, RandomMaskSpec] | None, density: float
) -> None:
    """Prints one row; the ratio is to the entropy of the zeros or of the flips."""
    payload, encode_seconds = fastest(lambda: encode_masks(masks, starts))
    decoded, decode_seconds = fastest(lambda: decode_ours(payload, masks))
    check(decoded, masks)
    bits = sum(8 * len(mask.bits) for mask in masks.values()) * binary_entropy(density)
    print(
        f"| {label} | {len(payload):,} | {8 * len(payload) / bits:.3f} "
        f"| {encode_seconds:.2f} | {decode_seconds:.2f} |",
        flush=True,
    )


def decode_ours(payload: np.ndarray, masks: Masks) -> Masks:
    """Decodes with the shapes of these masks."""
    return decode_masks(payload, {path: mask.shape for path, mask in masks.items()})


def random_masks(shapes: dict[str, tuple[int, ...]], density: float) -> Masks:
    """Masks of independent weights."""
    random = np.random.default_rng(0)
    return {
        path: PackedMask.of(random.random(shape, np.float32) >= density)
        for path, shape in shapes.items()
    }


def zeros(mask: PackedMask) -> np.ndarray:
    """Positions of the zeros."""
    return np.flatnonzero(~mask.unpack().ravel()).astype(np.uint32)


def from_zeros(positions: np.ndarray, like: PackedMask) -> PackedMask:
    """The inverse of `zeros`."""
    bits = np.ones(like.shape, bool).ravel()
    bits[positions] = False
    return PackedMask.of(bits.reshape(like.shape))


def entropy(masks: Masks) -> float:
    """Bytes of independent weights with the densities of these masks."""
    return entropy_bytes(count_packed(masks).values())


def fastest(call: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and the seconds of the fastest of three times."""
    runs = [timed(call) for _ in range(3)]
    return runs[-1][0], min(seconds for _, seconds in runs)


def check(decoded: Masks, masks: Masks) -> None:
    """Raises AssertionError unless every bit came back."""
    for path, mask in masks.items():
        np.testing.assert_array_equal(decoded[path].bits, mask.bits)


if __name__ == "__main__":
    tyro.cli(main)
