"""Words and names that were replaced do not come back, in code, comments, messages or documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("maskjax", "benchmarks", "configs", "tpu", "docs")
FILES = [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".md", ".sh", ".ipynb") and "generated" not in path.parts
] + [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "train.py")]
PHRASES = {
    "an archaism": r"\b(anew|beside|for ever|each with each|whoever|somebody|nobody)\b",
    "a run that goes on": r"\b(goes|go|went) on (from|where|with)\b",
    "a person's words for code": r"\b(tells|is told|are told|unless told)\b",
    "a genitive fragment": r'("""|^ {8}[a-z_]+: )Of (the|its|each|all|an?|what)\b',
    "an article for per": r"\b(bits?|scores?) a weight\b|\bone file a task\b",
    "British spelling": r"\b\w*(tokenis|optimis|binaris|initialis|normalis|recognis)\w*"
    r"|\b\w*(colour|neighbour|behaviour|labelled|licence)\w*",
}
# Exact names that no definition, field or argument has; a local variable may.
IDENTIFIERS = frozenset((
    "Asked", "Fed", "Kind", "Mixed", "Programs", "Question", "Read", "Registered", "Residency",
    "Row", "Shelf", "Start", "asked", "came", "cells", "checkpoint_name", "each", "first_says",
    "found", "freeze", "heat", "is_first", "key_for_path", "kinds", "lanes", "leaves_by_path",
    "look", "looks", "mine", "near_names", "nothing", "one", "other", "others", "planes", "pull",
    "replace_leaves", "several", "some", "sort", "start", "start_of", "told", "wanted", "what",
    "whole",
))  # fmt: skip
KEPT = {
    "cells": ("tasks/",),  # of a table
    "other": ("adaptation/delta.py",),  # of `|`, as Python calls it
    "lanes": ("taskfile/codec/",),  # of a range coder
    "start": (
        "export/file_region.py",  # of a range of bytes, next to its size or end
        "taskfile/specs.py",
    ),
}


def test_there_are_files_to_read():
    assert len(FILES) > 300


@pytest.mark.parametrize("kind", PHRASES)
def test_replaced_words_stay_away(kind):
    pattern = re.compile(PHRASES[kind], re.IGNORECASE if kind != "a genitive fragment" else 0)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_replaced_identifiers_stay_away():
    remaining = [
        f"{name} in {path}:{line}"
        for path, line, name in _definitions()
        if name in IDENTIFIERS and not path.startswith(KEPT.get(name, ()))
    ]
    assert remaining == []


def test_kept_identifiers_are_in_use():
    definitions = [(path, name) for path, _, name in _definitions()]
    for name, prefixes in KEPT.items():
        for prefix in prefixes:
            assert any(path.startswith(prefix) and name == n for path, n in definitions), prefix


def _definitions() -> Iterator[tuple[str, int, str]]:
    """The path, line and name of every function, class, field and argument of the package."""
    package = ROOT / "maskjax"
    for path in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            for line, name in _names(node):
                yield path.relative_to(package).as_posix(), line, name.lstrip("_")


def _names(node: ast.AST) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.lineno, node.name
    if isinstance(node, ast.arg):
        yield node.lineno, node.arg
    if isinstance(node, ast.ClassDef | ast.Module):
        for statement in node.body:
            targets = statement.targets if isinstance(statement, ast.Assign) else ()
            targets = (statement.target,) if isinstance(statement, ast.AnnAssign) else targets
            yield from ((t.lineno, t.id) for t in targets if isinstance(t, ast.Name))


def test_documented_arguments_exist():
    """Help texts of commands are made from them."""
    unknown = [
        f"{name} of {function.name} in {path.relative_to(ROOT)}"
        for path in sorted((ROOT / "maskjax").rglob("*.py"))
        for function in ast.walk(ast.parse(path.read_text(encoding="utf8")))
        if isinstance(function, ast.FunctionDef)
        for name in _documented(ast.get_docstring(function) or "")
        if name not in {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
    ]
    assert unknown == []


def _documented(docstring: str) -> list[str]:
    section = re.search(r"^Args:\n((?: {4}.*\n?|\n)+)", docstring, re.MULTILINE)
    return re.findall(r"^ {4}(\w+):", section[1], re.MULTILINE) if section else []
