"""Task files without the local paths of the machine that they were made on."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maskjax.taskfile.container import pack_container, unpack_container

PATH_KEYS = (
    ("base", "name"),
    ("tokenizer", "name"),
    ("task", "name"),
    ("config", "task", "name"),
    ("config", "task", "path"),
    ("config", "model", "base"),
    ("config", "adaptation", "masks"),
    ("config", "train", "checkpoints"),
)
"""The entries of the metadata that can be local paths."""


def without_folders(payload: bytes, name: str | Path) -> bytes:
    """Reduces absolute paths in a task file to their last names."""
    container = unpack_container(payload, name)
    return pack_container(container.tensors, reduced(container.header))


def reduced(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Reduces absolute paths in metadata to their last names.

    Example:
        >>> reduced({"base": {"name": "/home/ann/bert"}, "tokenizer": {"name": "a/b"}})
        {'base': {'name': 'bert'}, 'tokenizer': {'name': 'a/b'}}
    """
    return dict(_reduced(meta, ()))


def _reduced(values: Mapping[str, Any], parents: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        keys = (*parents, name)
        if isinstance(value, Mapping):
            yield name, dict(_reduced(value, keys))
        elif keys in PATH_KEYS and isinstance(value, str) and Path(value).is_absolute():
            yield name, Path(value).name
        else:
            yield name, value
