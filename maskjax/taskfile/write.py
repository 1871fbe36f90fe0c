"""The writer of task files, which rejects everything that a reader would reject."""

import json
from collections.abc import Mapping
from typing import Any

from maskjax.errors import InputError
from maskjax.masking.packed import RandomMaskSpec
from maskjax.taskfile.codec import is_well_formed
from maskjax.taskfile.container import check_header_size, pack_container
from maskjax.taskfile.entries import Content, declare_entries, encode_tensors
from maskjax.taskfile.header import RESERVED, parse_header
from maskjax.taskfile.schema import FORMAT, check_header
from maskjax.taskfile.specs import finite_blocks


def make_payload(
    content: Content,
    meta: Mapping[str, Any],
    initial_masks: Mapping[str, RandomMaskSpec],
    digest_format: int,
    name: str,
) -> bytes:
    """Encodes a task."""
    name = f"{name} cannot be saved"
    _check_content(content, name)
    specs, entries = declare_entries(content)
    header = {
        "format": FORMAT,
        **{key: value for key, value in _as_json(meta, name).items() if key not in RESERVED},
        "digest_format": digest_format,
        "entries": entries,
    }
    parse_header(header, specs, name)
    payload = pack_container(encode_tensors(content, initial_masks), header)
    try:
        check_header_size(payload)
    except ValueError as error:
        raise InputError(f"{name}: {error}.") from error
    return payload


def check_meta(meta: Mapping[str, Any], name: str) -> None:
    """Checks the metadata of a task file before training.

    Args:
        meta: The result of `make_meta`.
        name: The name in errors.

    Raises:
        InputError: If a reader would reject it.
    """
    base = {**meta["base"], "digest": "0" * 16}  # computed when the file is made
    check_header(_as_json({"maskjax": "x", **meta, "base": base}, name), name)


def _as_json(meta: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Converts metadata as a JSON reader gets it: lists for tuples, text for keys."""
    try:
        return json.loads(json.dumps(meta))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{name}: its metadata is not JSON: {error}.") from error


def _check_content(content: Content, name: str) -> None:
    for path, mask in content.masks.items():
        if not is_well_formed(mask):
            raise InputError(f"{name}: {path}: expected packed bits of shape {mask.shape}.")
    for prefix, path, leaf in content.arrays():
        if leaf.dtype.kind in "fV" and not all(finite_blocks(leaf)):
            raise InputError(
                f"{name}: {prefix}/{path} has numbers that are infinite or NaN; train again "
                "with a smaller rate."
            )
