"""Words and names that were replaced do not come back, in code, comments, messages or documents."""

import re
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
NAMES = (
    "leaves_by_path",
    "replace_leaves",
    "key_for_path",
    "start_of",
    "Fed",
    "Asked",
    "Residency",
    "Shelf",
    "Registered",
    "first_says",
    "is_first",
    "freeze",
)


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


def test_replaced_names_stay_away():
    pattern = re.compile(rf"\b({'|'.join(NAMES)})\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in FILES
        if path.suffix == ".py"
        for number, line in enumerate(path.read_text(encoding="utf8").splitlines(), 1)
        if (match := pattern.search(line))
    ]
    assert found == []
