"""A right text next to a wrong one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def offer(
    before: str, texts: Sequence[str], what: str, right: Sequence[str], wrong: Sequence[str]
) -> pd.DataFrame:
    """Offers right texts next to wrong ones, first and second in turn.

    Example:
        >>> starts = ["A b", "C d"]
        >>> offer("start", starts, "end", ["c", "e"], ["x", "y"]).values.tolist()
        [['A b', 'c', 'x', 'first'], ['C d', 'y', 'e', 'second']]
    """
    right_is_first = np.arange(len(texts)) % 2 == 0
    return pd.DataFrame(
        {
            before: texts,
            f"first_{what}": np.where(right_is_first, right, wrong),
            f"second_{what}": np.where(right_is_first, wrong, right),
            "label": np.where(right_is_first, "first", "second"),
        }
    )
