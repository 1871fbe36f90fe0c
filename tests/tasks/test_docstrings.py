"""The offline task: what it reads, what it leaves out, and that its splits are sound."""

import email
import gc
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from maskjax.errors import InputError
from maskjax.tasks import docstrings
from maskjax.tasks.baseline import tfidf_baseline

GIVE_AWAYS = ["numpy", "scipy", "jax", "flax", "optax", "pandas", "python", "huggingface"]
ALIASES = {"np", "jnp", "lax", "nnx", "pd", "transformers", "datasets"}
MARKUP = ["``", ":class:", ":func:", ":meth:", "[`", "](", "://"]

SHAPES = '''
"""The docstring of the module is not read."""
import a_module_that_does_not_exist

class Circle:
    """A round figure in the plane.

    It has no corners.
    """

    def area(self):
        """Return the area of the figure."""

    @property
    def radius(self):
        """The distance from centre to rim."""

    @classmethod
    def unit(cls):
        r"""unit(cls) -> Circle

        Make the figure whose :attr:`~Circle.radius` is one.
        """

    def _draw(self):
        """Paint the figure on the screen."""

    class Arc:
        """One connected piece of the rim."""

try:
    pass
except ImportError:
    def fallback():
        """Handlers are rare places for functions."""
else:
    async def measure(figure):
        """Measure the figure with a ruler. Slow."""

if True:
    def draw_circle():
        """Call draw_circle to draw a circle."""

def area():
    """Too short here."""

def convert():
    """Convert the figure to a NumPy array."""

def silent():
    def inner():
        """Functions within functions are not public."""

class _Hidden:
    def method(self):
        """Methods of private classes are not public."""
'''


@pytest.fixture(scope="module")
def tasks() -> dict[str, dict[str, pd.DataFrame]]:
    return {name: docstrings.load(name) for name in docstrings.LABELS}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "_private").mkdir()
    (tmp_path / "tests").mkdir()
    (tmp_path / "_private" / "shapes.py").write_text(SHAPES)
    documented = 'def helper():\n    """Help to check the other functions."""\n'
    for skipped in ("tests/helpers.py", "test_shapes.py", "shapes_test.py", "conftest.py"):
        (tmp_path / skipped).write_text(documented)
    (tmp_path / "latest.py").write_text(documented.replace("check", "reach"))
    return tmp_path


def test_exactly_the_public_sentences_of_a_package_are_read(package: Path):
    assert list(docstrings.read_sentences(package, "shapes")) == [
        ("A round figure in the plane", "shapes", "class"),
        ("Return the area of the figure", "shapes", "method"),
        ("Make the figure whose Circle.radius is one", "shapes", "method"),
        ("One connected piece of the rim", "shapes", "class"),
        ("Measure the figure with a ruler", "shapes", "function"),
        ("Help to reach the other functions", "shapes", "function"),
    ]


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("Sort, e.g. in place, the list.  Then stop.", "Sort, e.g. in place, the list"),
        ("Sort e.g. B-trees\nin place\n\nNot this.", "Sort e.g. B-trees in place"),
        ("f(x, y=(1, 2)) -> int\n\nAdd two numbers.", "Add two numbers"),
        ("f(x) -- add two numbers", "add two numbers"),
        ("Apply f(x)\nto all of it.", "Apply f(x) to all of it"),
        ("Add ``x`` to :py:class:`.Tree`.", "Add x to Tree"),
        ("See `the guide <target>`_ first.", "See the guide first"),
        ("Store a [`Model`] in [a hub](hub.md).", "Store a Model in a hub"),
        ("Add numbers\nArgs:\n  x: one", "Add numbers"),
        ("Title of it\n===========\nMore.", "Title of it"),
        ("", ""),
    ],
)
def test_first_sentence_is_plain_text(docstring: str, sentence: str):
    assert docstrings.first_sentence(docstring) == sentence


def test_deduplicate_agrees_with_brute_force():
    rng = random.Random(0)
    texts = [f"{word}{mark}" for word in ("sort", "Sort", "add it", "Add  it") for mark in ".!"]
    for _ in range(50):
        rows = [(rng.choice(texts), rng.choice("aab")) for _ in range(rng.randint(1, 8))]
        expected = {}
        for text, label in sorted(rows):
            same = [other for other in rows if _words(other[0]) == _words(text)]
            if {other_label for _, other_label in same} == {label}:
                expected.setdefault(_words(text), (text, label))
        kept = docstrings.deduplicate(pd.DataFrame(rows, columns=["text", "label"]))
        assert list(kept.itertuples(index=False, name=None)) == list(expected.values())


@pytest.mark.parametrize("name", docstrings.LABELS)
def test_no_text_is_in_two_splits_or_twice_in_one(tasks, name: str):
    words = [_words(text) for split in tasks[name].values() for text in split["text"]]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("name", docstrings.LABELS)
def test_classes_are_balanced_and_splits_have_every_label(tasks, name: str):
    sizes = pd.concat(tasks[name].values())["label"].value_counts()
    assert list(tasks[name]) == ["train", "dev", "test"]
    assert sizes.nunique() == 1
    assert 5_000 < sizes.sum() < 12_000
    for split, share in zip(tasks[name].values(), (0.8, 0.1, 0.1), strict=True):
        assert list(split.columns) == ["text", "label"]
        assert set(split["label"]) == set(docstrings.LABELS[name])
        assert len(split) / sizes.sum() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("name", docstrings.LABELS)
def test_sentences_hold_no_give_away_and_no_markup(tasks, name: str):
    for text in pd.concat(tasks[name].values())["text"]:
        assert not [clue for clue in GIVE_AWAYS + MARKUP if clue in text.lower()], text
        assert not ALIASES & set(re.findall(r"\w+", text.lower())), text
        assert 4 <= len(text.split()) <= 40, text


def test_a_text_keeps_its_split_when_others_come_and_go():
    texts = pd.DataFrame({"text": [f"sentence {i}" for i in range(300)]})
    every, some = docstrings.split(texts), docstrings.split(texts.iloc[::-3])
    for name in every:
        assert set(some[name]["text"]) == set(every[name]["text"]) & set(texts["text"][::-3])


def test_result_does_not_depend_on_the_hash_seed():
    script = f"""
import pandas as pd
from pathlib import Path
from maskjax.tasks.docstrings import balance, deduplicate, read_sentences, split
sentences = read_sentences(Path({email.__file__!r}).parent, "email")
rows = pd.DataFrame([(s.text, s.kind) for s in sentences], columns=["text", "label"])
print({{name: part.values.tolist() for name, part in split(balance(deduplicate(rows))).items()}})
"""
    first, second = (
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert first == second
    assert first.count("'method'") > 10


def test_garbage_collection_is_left_as_it_was(tasks):
    assert gc.isenabled()


def test_unknown_task_names_the_known_ones():
    with pytest.raises(InputError, match=r"'author'.*library, kind"):
        docstrings.load("author")


@pytest.mark.parametrize(("dev_label", "score"), [("io", 1.0), ("math", 0.0)])
def test_baseline_is_chosen_on_dev_and_scored_on_test(dev_label: str, score: float):
    pytest.importorskip("sklearn")
    # Only weak regularization gives the few examples of "add file" their own label.
    frequent, rare = ("add numbers", "math"), ("add file", "io")
    splits = {
        "train": [frequent] * 12 + [rare] * 2,
        "dev": [("add file", dev_label)],
        "test": [rare],
    }
    columns = ["text", "label"]
    frames = {name: pd.DataFrame(rows, columns=columns) for name, rows in splits.items()}
    assert tfidf_baseline(frames) == score


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.sub(r"[^\w]", " ", text.lower()).split())
