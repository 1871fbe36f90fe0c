"""The outer shell of a task file: safetensors whose metadata is one JSON text with a checksum.

The checksum is the SHA-256 of the whole file with the checksum's own 64 digits set to zeros, so
that no bit of header or payload can change unseen.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from maskjax.errors import InputError

KEY = "maskjax"
"""The one key of the safetensors metadata. One, because the order of several is not fixed."""
MAX_HEADER = 100_000_000
"""Bytes; what safetensors itself allows."""
_ZEROS = b"0" * 64
# The JSON text is a string within a JSON header, so its quotes are escaped there; a task whose
# labels hold the same characters has them escaped twice.
_CHECKSUM = re.compile(rb'\\"checksum\\": \\"([0-9a-f]{64})\\"')


class Container(NamedTuple):
    """What is inside.

    Attributes:
        tensors: Arrays by name.
        header: JSON values.
    """

    tensors: dict[str, np.ndarray]
    header: dict[str, Any]


def pack_container(tensors: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> bytes:
    """The bytes of a file; the same content gives the same bytes.

    Args:
        tensors: Arrays by name.
        header: JSON values; a key `checksum` is added.

    Returns:
        A safetensors file.
    """
    text = json.dumps({"checksum": _ZEROS.decode(), **header}, ensure_ascii=True)
    # safetensors writes the raw memory of an array, whatever its strides.
    dense = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    blank = save(dense, metadata={KEY: text})
    start, end = _find_checksum(blank)
    return blank[:start] + hashlib.sha256(blank).hexdigest().encode() + blank[end:]


def unpack_container(payload: bytes, name: str | Path) -> Container:
    """Reads what `pack_container` wrote, and refuses everything else.

    Args:
        payload: The bytes of a file.
        name: What errors call it.

    Returns:
        Arrays and header.

    Raises:
        InputError: If these are not the bytes of a whole, unchanged task file.
    """
    text = _metadata(payload, name).get(KEY)
    if not isinstance(text, str):
        raise InputError(f"{name}: a safetensors file, but not a task file of maskjax.")
    _verify(payload, name)
    try:
        header, tensors = json.loads(text), load(payload)
    except (SafetensorError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise _damaged(name, str(error)) from error
    if not isinstance(header, dict):
        raise _damaged(name, "its metadata are no JSON object")
    del header["checksum"]
    return Container(tensors, header)


def _metadata(payload: bytes, name: str | Path) -> dict[str, Any]:
    """The metadata of the safetensors header, read here since only open files give it otherwise."""
    length = int.from_bytes(payload[:8], "little")
    if len(payload) < 8 or length > min(len(payload) - 8, MAX_HEADER):
        raise _damaged(name, "its header is longer than the file")
    try:
        header = json.loads(payload[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise _damaged(name, "its header is no JSON") from error
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise _damaged(name, "its header is no JSON object with metadata")
    return metadata


def _verify(payload: bytes, name: str | Path) -> None:
    place = _find_checksum(payload)
    if place is None:
        raise _damaged(name, "it has no checksum")
    start, end = place
    digest = hashlib.sha256(payload[:start])
    digest.update(_ZEROS)
    digest.update(memoryview(payload)[end:])
    if digest.hexdigest().encode() != payload[start:end]:
        raise _damaged(name, "its checksum does not fit its content")


def _find_checksum(payload: bytes) -> Any:
    """First and last place of the digits; None where there are none."""
    length = int.from_bytes(payload[:8], "little")
    found = _CHECKSUM.search(payload, 8, 8 + length)
    return found and found.span(1)


def _damaged(name: str | Path, why: str) -> InputError:
    return InputError(
        f"{name}: damaged, not a whole task file: {' '.join(why.split())}; fetch it again."
    )
