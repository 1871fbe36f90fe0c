"""The bag-of-words baseline that a text classifier should beat."""

import pandas as pd


def tfidf_baseline(splits: dict[str, pd.DataFrame]) -> float:
    """Scores logistic regression on tf-idf weighted words and word pairs.

    Args:
        splits: The splits "train", "dev" and "test", each with the columns `text` and `label`.

    Returns:
        The test accuracy of the model, trained on "train", whose inverse regularization strength C
        is the best on "dev".

    Example:
        >>> rows = [("add two numbers", "math"), ("open a file", "io")] * 2
        >>> frame = pd.DataFrame(rows, columns=["text", "label"])
        >>> tfidf_baseline({"train": frame, "dev": frame, "test": frame})
        1.0
    """
    # Imported here because only the extra "demo" installs scikit-learn.
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    tfidf = TfidfVectorizer(ngram_range=(1, 2), min_df=2).fit(splits["train"]["text"])
    features = {name: tfidf.transform(frame["text"]) for name, frame in splits.items()}
    labels = {name: frame["label"].to_numpy(str) for name, frame in splits.items()}
    # Newton's method is some twenty times faster here than the default solver.
    models = [
        LogisticRegression(C=c, solver="newton-cg").fit(features["train"], labels["train"])
        for c in (1.0, 3.0, 10.0, 30.0)
    ]
    best = max(models, key=lambda model: model.score(features["dev"], labels["dev"]))
    return float(best.score(features["test"], labels["test"]))
