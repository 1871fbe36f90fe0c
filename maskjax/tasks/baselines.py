"""Baselines without a pretrained encoder, for comparison with trained models."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from maskjax.tasks.metrics import score
from maskjax.tasks.task import LoadedTask, Split

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Inverse regularization strengths, of which the dev rows choose one."""

Texts = Sequence[tuple[str, ...]]
Features = Callable[[Texts], sparse.csr_array]


def baseline_scores(data: LoadedTask) -> dict[str, float]:
    """Scores models that read the words of the same rows as a pretrained encoder.

    They are the most frequent label of "train", and logistic regression on tf-idf weighted words
    and word pairs, fitted on "train", with the regularization that is best on the rows that select
    models. For two texts, which are a pair or a text and a choice, its features also include both
    as one text, the words and word endings where they meet, and their overlap. It ranks choices.
    """
    if data.task.kind not in ("classification", "choice"):
        return {}
    fit = _classify if data.task.kind == "classification" else _choose
    train, test = data.splits["train"], data.splits["test"]
    predictions = {
        "most frequent label": np.full(len(test.labels), np.bincount(train.labels).argmax()),
        "bag of words (tf-idf)": fit(train, data.splits[data.selection], test),
    }
    return {
        name: score(data.task.metric, labels, test.labels) for name, labels in predictions.items()
    }


def shares(first: str, second: str) -> Iterator[float]:
    """Computes the shares of words and of letter pairs that two texts have in common.

    Example:
        >>> [round(share, 2) for share in shares("read csv", "Read a file")]
        [0.5, 0.33, 0.6, 0.5]
    """
    words = [set(text.lower().split()) for text in (first, second)]
    bigrams = [{w[i : i + 2] for w in text for i in range(len(w) - 1)} for text in words]
    for a, b in (words, bigrams):
        yield len(a & b) / max(len(a), 1)
        yield len(a & b) / max(len(b), 1)


def seam(pair: tuple[str, str]) -> list[str]:
    """Combines the words, and their last two letters, where one text ends and the other begins.

    Example:
        >>> seam(("Return the", "sum of it"))
        ['the sum', 'he sum', 'the um', 'he um']
    """
    last, first = pair[0].split()[-1].lower(), pair[1].split()[0].lower()
    return [f"{a} {b}" for b in (first, first[-2:]) for a in (last, last[-2:])]


def _classify(train: Split, dev: Split, test: Split) -> np.ndarray:
    # scikit-learn is slow to import.
    from sklearn.linear_model import LogisticRegression

    features = _fit_features(train.texts)
    inputs, dev_inputs = features(train.texts), features(dev.texts)
    # Newton's method is some twenty times faster here than the default solver.
    models = [
        LogisticRegression(C=c, solver="newton-cg").fit(inputs, train.labels) for c in STRENGTHS
    ]
    best = max(models, key=lambda model: model.score(dev_inputs, dev.labels))
    return best.predict(features(test.texts))


def _choose(train: Split, dev: Split, test: Split) -> np.ndarray:
    """Ranks choices by a linear score, fitted to put the correct one before each other one."""
    from sklearn.linear_model import LogisticRegression

    features = _fit_features(_options(train))
    differences = _differences(features(_options(train)), train.labels)
    inputs = sparse.vstack([differences, -differences])
    signs = np.repeat([1, -1], _row_count(differences))
    weights = [
        LogisticRegression(C=c, solver="newton-cg", fit_intercept=False).fit(inputs, signs).coef_[0]
        for c in STRENGTHS
    ]
    dev_inputs, test_inputs = (features(_options(split)) for split in (dev, test))
    best = max(weights, key=lambda w: np.mean(_ranked_first(dev_inputs @ w, dev) == dev.labels))
    return _ranked_first(test_inputs @ best, test)


def _options(split: Split) -> Texts:
    """Each choice, paired with the text that it continues."""
    return [(row[0], choice) for row in split.texts for choice in row[1:]]


def _ranked_first(scores: np.ndarray, split: Split) -> np.ndarray:
    return scores.reshape(len(split.texts), -1).argmax(axis=1)


def _differences(features: sparse.csr_array, labels: np.ndarray) -> sparse.csr_array:
    """The features of the correct choice of each row minus those of each other choice."""
    choices = _row_count(features) // len(labels)
    correct = np.arange(len(labels)) * choices + labels
    incorrect = np.setdiff1d(np.arange(_row_count(features)), correct)
    return features[np.repeat(correct, choices - 1)] - features[incorrect]


def _row_count(features: Any) -> int:
    return features.shape[0]  # not in the stubs of scipy's sparse arrays


def _fit_features(train: Texts) -> Features:
    from sklearn.feature_extraction.text import TfidfVectorizer

    columns = _columns(train)
    vectorizers = [TfidfVectorizer(ngram_range=(1, 2), min_df=2).fit(texts) for texts in columns]
    if len(columns) == 1:
        return lambda texts: sparse.csr_array(vectorizers[0].transform(_columns(texts)[0]))
    seam_vectorizer = TfidfVectorizer(analyzer=seam).fit(train)  # pyright: ignore[reportArgumentType]

    def features(texts: Texts) -> sparse.csr_array:
        pairs = zip(vectorizers, _columns(texts), strict=True)
        blocks = [vectorizer.transform(column) for vectorizer, column in pairs]
        overlap = sparse.csr_array([list(shares(*pair)) for pair in texts])
        return sparse.csr_array(sparse.hstack([*blocks, seam_vectorizer.transform(texts), overlap]))

    return features


def _columns(texts: Texts) -> list[Sequence[str]]:
    """The texts by column and, of pairs, both as one text."""
    columns: list[Sequence[str]] = list(zip(*texts, strict=True))
    return [*columns, [" ".join(pair) for pair in texts]] if len(columns) == 2 else columns
