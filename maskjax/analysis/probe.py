"""How well a linear probe of scikit-learn separates the classes of vectors, and pictures."""

from typing import NamedTuple

import numpy as np

from maskjax.errors import InputError

FOLDS = 5


class Probe(NamedTuple):
    """A linear probe of vectors."""

    accuracy: float  # mean over the folds, of rows that the classifier has not seen
    deviation: float  # standard deviation over the folds
    majority: float  # the share of the most frequent class among the rows
    rows: int


def probe_accuracy(vectors: np.ndarray, labels: np.ndarray) -> Probe:
    """Scores logistic regression on standardized vectors by cross-validation in five folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kept = np.bincount(labels)[labels] >= FOLDS
    counts = np.bincount(labels[kept])
    if np.count_nonzero(counts) < 2:
        raise InputError(
            f"--rows: expected two classes of at least {FOLDS} rows for a linear probe, got "
            f"{np.count_nonzero(counts)} among {len(labels):,} rows."
        )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_score(model, vectors[kept], labels[kept], cv=folds)
    majority = float(counts.max() / counts.sum())
    return Probe(float(scores.mean()), float(scores.std()), majority, int(kept.sum()))


def pca_points(vectors: np.ndarray) -> np.ndarray:
    """The two directions in which vectors vary most."""
    from sklearn.decomposition import PCA

    return PCA(2, svd_solver="full").fit_transform(np.asarray(vectors, np.float64))


def tsne_points(vectors: np.ndarray) -> np.ndarray:
    """Two dimensions in which near vectors stay near (van der Maaten and Hinton 2008).

    It starts from the principal components and a fixed seed, so that a figure can be drawn again.
    Distances between clusters and their sizes mean nothing.
    """
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return TSNE(init="pca", perplexity=perplexity, random_state=0).fit_transform(vectors)
