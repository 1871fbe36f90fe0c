"""The first docstring sentences of public objects, without text that reveals their labels."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from maskjax.tasks.docstrings.sources import (
    package_folders,
    parse,
    paused_garbage_collection,
    public_objects,
    source_files,
)

FAMILY_NAME = re.compile(
    r"(?i)numpy|scipy|jax|flax|optax|pandas|python|hugging.?face"
    r"|\b(np|sp|jnp|lax|nnx|linen|pd|hf|transformers|datasets)\b"
)
SIGNATURE = re.compile(r"\A[\w.]+\((?:[^()]|\([^()]*\))*\)\s*(?:->[^\n]*\n|--|=>|:|\n)\s*")
PARAGRAPH_END = re.compile(r"\n\s*(?:\n|[-*+] |\d+[.)] |>>>|[:@]param|[-=~]{3}|\w+:\n)")
SENTENCE_END = re.compile(r"(?<=[.!?])(?<!\.[a-z]\.)\s+(?=[A-Z])")
NOT_PROSE = re.compile(r"[\\{}|<>]|%\(|://| = |^[^A-Za-z]")
MARKUP = (
    (re.compile(r":[\w:+-]+:(?=`)"), ""),  # the role in :class:`X`
    (re.compile(r"\[(`[^`]+`|[^\]]+(?=\]\())\](?:\([^)]*\))?"), r"\1"),  # [`X`], [text](target)
    (re.compile(r"`([^`<]+?)\s*<[^`>]+>`_*"), r"\1"),  # `text <target>`_
    (re.compile(r"`+[~!.]*([^`]*)`+_*"), r"\1"),  # `X`, ``X``, `~X`
)


class Sentence(NamedTuple):
    """The first sentence of a docstring, and the object that it documents."""

    text: str  # the sentence as plain text
    library: str  # the family of packages it comes from
    kind: str  # "class", "function" or "method"


@cache
def corpus() -> tuple[Sentence, ...]:
    """Reads the usable sentences of all packages, once per process.

    Returns:
        The sentences, ordered by package, path and line.
    """
    with paused_garbage_collection():
        return tuple(
            sentence
            for library, folder in package_folders()
            for sentence in read_sentences(folder, library)
        )


def read_sentences(folder: Path, library: str) -> Iterator[Sentence]:
    """Reads the usable sentences below a folder, at most one for each public object.

    Args:
        folder: The folder of a package, or of the standard library.
        library: The label of its sentences in the task "library".

    Yields:
        The sentences, ordered by path and line.
    """
    for path in source_files(folder):
        for node, kind in public_objects(parse(path), within_class=False):
            text = first_sentence(ast.get_docstring(node) or "")
            if _is_usable(text, node.name):
                yield Sentence(text, library, kind)


def first_sentence(docstring: str) -> str:
    r"""Extracts the first sentence of a docstring.

    Args:
        docstring: The docstring, free of common indentation.

    Returns:
        The sentence as plain text, without signature, markup and final full stop.

    Example:
        >>> first_sentence("sum(x, axis=None) -> Array\n\nAdd up a :class:`~jax.Array`. Slow.")
        'Add up a jax.Array'
    """
    body = SIGNATURE.sub("", docstring.strip())
    text = " ".join(PARAGRAPH_END.split(body, maxsplit=1)[0].split())
    for pattern, replacement in MARKUP:
        text = pattern.sub(replacement, text)
    return SENTENCE_END.split(text, maxsplit=1)[0].rstrip(" .:;")


def _is_usable(text: str, name: str) -> bool:
    names_itself = name in re.findall(r"\w+", text) and ("_" in name or name != name.lower())
    is_prose = 4 <= len(text.split()) <= 40 and not NOT_PROSE.search(text)
    return is_prose and not names_itself and not FAMILY_NAME.search(text)
