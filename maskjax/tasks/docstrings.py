"""The built-in offline task: name the library, or the kind of object, behind a docstring sentence.

maskjax ships no third-party text, so this task reads text that every installation already has:
the first docstring sentence of each public class, function and method (properties are neither)
in the Python standard library and in packages that maskjax depends on. The task "library" asks
for the family of packages a sentence comes from, the task "kind" for the object it documents.

Sources are parsed and never imported, so docstrings of compiled objects stay unseen. Public
objects of private modules count, because libraries define most of what they export in those.

What gives the label away is removed. Markup (roles, backticks, links), a leading call signature
and the final full stop are stripped. A sentence that names one of the families, or spells the
name of its own object the way code does (`read_csv`, `GroupBy`), is dropped whole: few do, and a
hole would be a clue itself. So is what is not prose of 4 to 40 words. The word "class" stays.

All classes are as large as the smallest, which is "pandas" or "class". Sizes follow the installed
versions. With Python 3.11, numpy 2.4, scipy 1.17, pandas 3.1, jax 0.10 and transformers 5.23, and
with the test accuracy of `maskjax.tasks.baseline.tfidf_baseline`, they are::

    task      classes   train   dev   test   chance   baseline
    library         5    6483   803    779     0.20       0.77
    kind            3    5668   733    664     0.33       0.76
"""

import ast
import gc
import re
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from maskjax.errors import InputError

LABELS: dict[str, tuple[str, ...]] = {
    "library": ("huggingface", "jax", "pandas", "python", "scipy"),
    "kind": ("class", "function", "method"),
}

# The label "python" stands for the standard library, which is no package.
PACKAGES: dict[str, tuple[str, ...]] = {
    "huggingface": ("transformers", "datasets"),
    "jax": ("jax", "flax", "optax"),
    "pandas": ("pandas",),
    "scipy": ("numpy", "scipy"),
}

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

# Tests document nothing public, vendored code belongs to someone else, newer Pythons lack distutils
# and lib2to3, and the models of transformers repeat the same few sentences hundreds of times.
SKIPPED = re.compile(
    r"(\w*_)?test(s|ing)?(_\w+)?(\.py)?|conftest\.py|third_party|_external|_vendor\w*"
    r"|array_api_\w+|site-packages|dist-packages|distutils|lib2to3|models"
)
FAMILY_NAME = re.compile(
    r"(?i)numpy|scipy|jax|flax|optax|pandas|python|hugging.?face"
    r"|\b(np|sp|jnp|lax|nnx|linen|pd|hf|transformers|datasets)\b"
)
PROPERTY = re.compile(r"property\b|readonly\b|\.(setter|getter|deleter)$")
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
    """The first sentence of a docstring, with its label in each task."""

    text: str
    library: str
    kind: str


def load(name: str) -> dict[str, pd.DataFrame]:
    """Loads a task.

    Args:
        name: A key of `LABELS`.

    Returns:
        The splits "train", "dev" and "test", each with the string columns `text` and `label`.

    Raises:
        InputError: If no task has this name.
    """
    if name not in LABELS:
        raise InputError(f"No docstring task {name!r}; there are: {', '.join(LABELS)}.")
    rows = [(sentence.text, getattr(sentence, name)) for sentence in _corpus()]
    return split(balance(deduplicate(pd.DataFrame(rows, columns=["text", "label"]))))


def read_sentences(folder: Path, library: str) -> Iterator[Sentence]:
    """Reads the usable sentences below a folder, at most one for each public object.

    Args:
        folder: The folder of a package, or of the standard library.
        library: The label of its sentences in the task "library".

    Yields:
        The sentences, ordered by path and line.
    """
    for path in _sources(folder):
        for node, kind in _public_objects(_parse(path), within_class=False):
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
    for pattern, plain in MARKUP:
        text = pattern.sub(plain, text)
    return SENTENCE_END.split(text, maxsplit=1)[0].rstrip(" .:;")


def deduplicate(sentences: pd.DataFrame) -> pd.DataFrame:
    """Keeps one row of each text, and none of a text that occurs with two labels.

    Args:
        sentences: The columns `text` and `label`. Texts that differ in case and punctuation only
            are the same.

    Returns:
        The rows kept, in alphabetical order.

    Example:
        >>> rows = [("Sort it!", "a"), ("sort it", "a"), ("Add", "a"), ("Add", "b")]
        >>> deduplicate(pd.DataFrame(rows, columns=["text", "label"])).values.tolist()
        [['Sort it!', 'a']]
    """
    ordered = sentences.sort_values("text")
    words = ordered["text"].map(lambda text: " ".join(re.findall(r"\w+", text.lower())))
    label_count = ordered.groupby(words)["label"].transform("nunique")
    return ordered.loc[(label_count == 1) & ~words.duplicated()]


def balance(sentences: pd.DataFrame) -> pd.DataFrame:
    """Cuts each class to the size of the smallest, and shuffles.

    Args:
        sentences: The columns `text`, without duplicates, and `label`.

    Returns:
        The rows of each class whose texts have the lowest hashes, in the order of the hashes.
    """
    shuffled = sentences.sort_values("text", key=lambda texts: texts.map(_hash))
    return shuffled.groupby("label").head(shuffled["label"].value_counts().min())


def split(sentences: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Splits about 80/10/10 by the hash of the text, so that a text always gets the same split.

    Args:
        sentences: A frame with the column `text`.

    Returns:
        The rows of "train", "dev" and "test", in the order in which they came.

    Example:
        >>> parts = split(pd.DataFrame({"text": list("abcdefghi")}))
        >>> {name: "".join(part["text"]) for name, part in parts.items()}
        {'train': 'abcdehi', 'dev': 'g', 'test': 'f'}
    """
    tenth = sentences["text"].map(_hash) % 10
    parts = {"train": tenth > 1, "dev": tenth == 1, "test": tenth == 0}
    return {name: sentences.loc[part].reset_index(drop=True) for name, part in parts.items()}


@cache  # both tasks share it
def _corpus() -> tuple[Sentence, ...]:
    with _paused_garbage_collection():
        return tuple(s for library, folder in _folders() for s in read_sentences(folder, library))


@contextmanager
def _paused_garbage_collection() -> Iterator[None]:
    # Syntax trees hold no cycles, and looking for some takes a third of the loading time.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _folders() -> Iterator[tuple[str, Path]]:
    yield "python", Path(sysconfig.get_path("stdlib"))
    for library, packages in PACKAGES.items():
        for package in packages:
            spec = find_spec(package)  # imports nothing, as the package is a top-level one
            if spec is None or spec.origin is None:
                raise ModuleNotFoundError(f"package {package!r} is not installed", name=package)
            yield library, Path(spec.origin).parent


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if SKIPPED.fullmatch(path.name):
            continue
        if path.is_dir():
            yield from _sources(path)
        elif path.suffix == ".py":
            yield path


def _parse(path: Path) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the sources of others may hold deprecated syntax
        return ast.parse(path.read_bytes())


def _public_objects(parent: ast.AST, within_class: bool) -> Iterator[tuple[Definition, str]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.If | ast.Try):  # definitions may depend on the platform
            yield from _public_objects(node, within_class)
        elif not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        elif isinstance(node, ast.ClassDef):
            yield node, "class"
            yield from _public_objects(node, within_class=True)
        elif not any(PROPERTY.search(ast.unparse(mark)) for mark in node.decorator_list):
            yield node, "method" if within_class else "function"


def _is_usable(text: str, name: str) -> bool:
    names_itself = name in re.findall(r"\w+", text) and ("_" in name or name != name.lower())
    is_prose = 4 <= len(text.split()) <= 40 and not NOT_PROSE.search(text)
    return is_prose and not names_itself and not FAMILY_NAME.search(text)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())  # fits a 64-bit column
