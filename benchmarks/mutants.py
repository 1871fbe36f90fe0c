"""Task files that were changed and signed again, as a forger would: their checksums are right."""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

ZEROS = "0" * 64
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, -1, 1.0, 0.5, -0.0, float("inf"), float("nan"), 2**31, 2**32 + 8,
    2**63, 10**400, "", "x", "1", "\ud800", "a\nb\x1b[31m", "é", "x" * 1001, "0" * 16, [], {},
    [[]], [1.0], ["a"], ["a", "a"], {"a": 1}, [8, 8], [2**40, 2**40], [-1, -1], [0, 3], [3] * 40,
    "choice", "regression", "tokens", "spearman", "mask/a/kernel", "float64",
)  # fmt: skip
"""What stands in the place of a value of the header."""


class Opened(NamedTuple):
    """A task file taken apart.

    Attributes:
        outer: JSON values of the safetensors header, without the metadata.
        header: JSON values of the task file, without the checksum.
        body: The bytes of the tensors.
    """

    outer: dict[str, Any]
    header: dict[str, Any]
    body: bytes


Mutation = Callable[[np.random.Generator, Opened], Opened]


def open_payload(payload: bytes) -> Opened:
    """Takes a valid task file apart.

    Args:
        payload: Its bytes.

    Returns:
        Its parts.
    """
    end = 8 + int.from_bytes(payload[:8], "little")
    outer = json.loads(payload[8:end])
    header = json.loads(outer.pop("__metadata__")["maskjax"])
    del header["checksum"]
    return Opened(outer, header, payload[end:])


def sign(opened: Opened) -> bytes:
    """Puts a file together, with its checksum.

    Args:
        opened: Any parts.

    Returns:
        The bytes of the file.
    """
    return sign_text(json.dumps({"checksum": ZEROS, **opened.header}), opened.outer, opened.body)


def sign_text(text: str, outer: dict[str, Any], body: bytes) -> bytes:
    """Puts a file together from any text in the place of its header.

    Args:
        text: Holds a checksum of zeros, or the file gets none.
        outer: JSON values of the safetensors header.
        body: The bytes of the tensors.

    Returns:
        The bytes of the file.
    """
    head = json.dumps({"__metadata__": {"maskjax": text}, **outer}).encode()
    blank = len(head).to_bytes(8, "little") + head + body
    digest = hashlib.sha256(blank).hexdigest()
    return blank.replace(ZEROS.encode(), digest.encode(), 1)


def mutants(payload: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Changes a file in many ways, and signs each.

    Args:
        payload: A valid file.
        count: How many.
        seed: The seed of the changes.

    Yields:
        Their bytes. Few are valid.
    """
    random, opened = np.random.default_rng(seed), open_payload(payload)
    for number in range(count):
        if number % 8 == 7:
            yield _with_changed_text(random, opened)
            continue
        changed = opened
        for _ in range(random.integers(1, 4)):
            changed = MUTATIONS[random.integers(len(MUTATIONS))](random, changed)
        yield sign(changed)


def _change_value(random: np.random.Generator, opened: Opened) -> Opened:
    header = copy.deepcopy(opened.header)
    holder, key = _pick(random, header)
    holder[key] = copy.deepcopy(VALUES[random.integers(len(VALUES))])
    return opened._replace(header=header)


def _remove_value(random: np.random.Generator, opened: Opened) -> Opened:
    header = copy.deepcopy(opened.header)
    holder, key = _pick(random, header)
    del holder[key]
    return opened._replace(header=header)


def _copy_value(random: np.random.Generator, opened: Opened) -> Opened:
    header = copy.deepcopy(opened.header)
    (source, name), (holder, key) = _pick(random, header), _pick(random, header)
    holder[key] = copy.deepcopy(source[name])
    return opened._replace(header=header)


def _rename_entry(random: np.random.Generator, opened: Opened) -> Opened:
    header, outer = copy.deepcopy(opened.header), dict(opened.outer)
    names = ("mask/", "weight/", "masks", "other/x", "lora_a/x", "mask/\ud800", "weight/a/kernel",
             "mask/" + "x" * 1001, "", "mask/a\nb")  # fmt: skip
    new = names[random.integers(len(names))]
    entries = header.get("entries")
    if isinstance(entries, dict) and entries:
        old = list(entries)[random.integers(len(entries))]
        entries[new] = entries.pop(old)
        if old in outer:
            outer[new] = outer.pop(old)
    return opened._replace(header=header, outer=outer)


def _change_tensor(random: np.random.Generator, opened: Opened) -> Opened:
    outer = copy.deepcopy(opened.outer)
    if outer:
        holder, key = _pick(random, outer)
        holder[key] = copy.deepcopy(VALUES[random.integers(len(VALUES))])
    return opened._replace(outer=outer)


def _change_bytes(random: np.random.Generator, opened: Opened) -> Opened:
    body = bytearray(opened.body)
    for _ in range(random.integers(1, 5)):
        if body:
            at = random.integers(len(body))
            body[at : at + 4] = random.bytes(4)
    return opened._replace(body=bytes(body[: len(opened.body)]))


def _cut_or_extend(random: np.random.Generator, opened: Opened) -> Opened:
    if random.integers(2):
        return opened._replace(body=opened.body[: random.integers(len(opened.body) + 1)])
    return opened._replace(body=opened.body + random.bytes(int(random.integers(1, 40))))


MUTATIONS: tuple[Mutation, ...] = (
    _change_value, _change_value, _change_value, _remove_value, _copy_value, _rename_entry,
    _change_tensor, _change_bytes, _change_bytes, _cut_or_extend,
)  # fmt: skip


def _with_changed_text(random: np.random.Generator, opened: Opened) -> bytes:
    """Characters of the JSON text itself change, so that it is often no JSON at all."""
    text = list(json.dumps({"checksum": ZEROS, **opened.header}))
    for _ in range(random.integers(1, 4)):
        text[random.integers(80, len(text))] = chr(random.integers(32, 300))
    return sign_text("".join(text), opened.outer, opened.body)


def _pick(random: np.random.Generator, tree: Any) -> tuple[Any, Any]:
    """Any place in JSON values: its holder and its key there."""
    places = list(_places(tree))
    return places[random.integers(len(places))]


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from _places(tree[key])
