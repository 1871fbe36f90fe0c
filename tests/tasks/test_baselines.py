"""Baselines are fitted on train, chosen on dev, scored on test, and see words only."""

import numpy as np
import pytest

from maskjax.tasks import LoadedTask, Split, Task
from maskjax.tasks.baselines import baseline_scores, shares

TFIDF = "bag of words (tf-idf)"


def classification(train, dev, test, text=("text",)) -> LoadedTask:
    """Rows are pairs of texts and a class id."""
    splits = {
        name: Split([texts for texts, _ in rows], np.array([label for _, label in rows], np.int32))
        for name, rows in {"train": train, "dev": dev, "test": test}.items()
    }
    return LoadedTask(Task(name="t", text=text, labels=("a", "b")), splits)


@pytest.mark.parametrize(("dev_label", "score"), [(1, 1.0), (0, 0.0)])
def test_regularization_is_chosen_on_dev(dev_label: int, score: float):
    # Only weak regularization gives the few examples of "add file" their own label.
    frequent, rare = (("add numbers",), 0), (("add file",), 1)
    data = classification([frequent] * 24 + [rare] * 2, [(("add file",), dev_label)], [rare])
    assert baseline_scores(data)[TFIDF] == score


def test_most_frequent_label_is_taken_from_train():
    rows = [(("add it",), 1), (("add it",), 1), (("sort it",), 0)]
    scores = baseline_scores(classification(rows, rows, rows[2:] * 3 + rows[:1]))
    assert scores["most frequent label"] == 0.25


def test_baseline_of_pairs_uses_their_shared_words():
    words = ["tree", "graph", "array", "query", "index", "frame", "token", "layer"]
    same = [((word, f"the {word}"), 1) for word in words]
    other = [((a, f"the {b}"), 0) for a, b in zip(words, words[1:] + words[:1], strict=True)]
    new = [(("matrix", "the matrix"), 1), (("vector", "the matrix"), 0)]
    data = classification((same + other) * 4, same + other, new, text=("a", "b"))
    assert baseline_scores(data)[TFIDF] == 1.0


@pytest.mark.parametrize("count", [2, 3])
def test_baseline_of_choices_uses_the_first_text(count: int):
    """Every choice is right as often as wrong, so that only the first text decides."""
    words = [("sort the", "rows"), ("add the big", "numbers"), ("open that", "file")]
    rows, labels = [], []
    for index in range(12):
        first, right = words[index % 3]
        wrong = [choice for _, choice in words if choice != right][: count - 1]
        place = index // 3 % count
        rows.append((first, *wrong[:place], right, *wrong[place:]))
        labels.append(place)
    split = Split(rows, np.array(labels, np.int32), "choice")
    names = ("a", "b", "c")[:count]
    task = Task(name="t", kind="choice", labels=names, choices=names)
    splits = {"train": split, "dev": split, "test": split}
    assert baseline_scores(LoadedTask(task, splits))[TFIDF] == 1.0


def test_other_kinds_have_no_baseline():
    data = classification([(("x",), 0)], [(("x",), 0)], [(("x",), 0)])
    numbers = Task(name="t", kind="regression", metric="pearson")
    assert baseline_scores(data._replace(task=numbers)) == {}


def test_baseline_of_pairs_uses_the_words_at_their_border():
    whole = [("sort the", "rows here"), ("add the", "numbers here"), ("read a", "file here")] * 4
    right = [(pair, 1) for pair in whole]
    wrong = [((a, b), 0) for (a, _), (_, b) in zip(whole, whole[1:] + whole[:1], strict=True)]
    rows = right + wrong
    assert baseline_scores(classification(rows, rows, rows, text=("a", "b")))[TFIDF] == 1.0


def test_shares_of_texts_without_words_are_zero():
    assert list(shares("", "a")) == [0, 0, 0, 0]
