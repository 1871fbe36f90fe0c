"""Rows with a correct and an incorrect text."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def pair_texts(
    context: str, contexts: Sequence[str], name: str, correct: Sequence[str], wrong: Sequence[str]
) -> pd.DataFrame:
    """Pairs correct texts with wrong ones; the correct one is first and second in turn.

    Example:
        >>> beginnings = ["A b", "C d"]
        >>> pair_texts("beginning", beginnings, "end", ["c", "e"], ["x", "y"]).values.tolist()
        [['A b', 'c', 'x', 'first'], ['C d', 'y', 'e', 'second']]
    """
    is_correct_first = np.arange(len(contexts)) % 2 == 0
    return pd.DataFrame(
        {
            context: contexts,
            f"first_{name}": np.where(is_correct_first, correct, wrong),
            f"second_{name}": np.where(is_correct_first, wrong, correct),
            "label": np.where(is_correct_first, "first", "second"),
        }
    )
