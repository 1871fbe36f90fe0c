"""What captions and tables say of runs and rows."""

from collections.abc import Collection, Iterable, Sequence
from itertools import compress

TRAIN = "train"
EVALUATED = ("dev", "test", "holdout")
"""Where a study scores runs by default: the first of these that a task has."""


def first_evaluated(splits: Collection[str]) -> str:
    """Where a study scores runs if it is not told.

    Example:
        >>> first_evaluated(["train", "holdout"])
        'holdout'
    """
    return next(split for split in EVALUATED if split in splits)


def rows_text(split: str | None, rows: int | None) -> str:
    """Says what `Run.split` gives, for people.

    Example:
        >>> rows_text("test", None), rows_text(None, 200)
        ('all rows of test', 'up to 200 rows of dev, test or holdout')
    """
    amount = "all" if rows is None else f"up to {rows:,}"
    return f"{amount} rows of {split or 'dev, test or holdout'}"


def runs_text(seeds: Sequence[int]) -> str:
    """Counts runs and names their seeds.

    Example:
        >>> runs_text([1, 0, 1])
        '3 runs, seeds 0, 1'
    """
    return f"{len(seeds)} run{'s' * (len(seeds) > 1)}, {seeds_text(seeds)}"


def seeds_text(seeds: Iterable[int]) -> str:
    """Names seeds, each once and in order.

    Example:
        >>> seeds_text([1, 0, 1]), seeds_text([2])
        ('seeds 0, 1', 'seed 2')
    """
    different = sorted(set(seeds))
    return f"seed{'s' * (len(different) > 1)} {', '.join(map(str, different))}"


def short_names(names: Sequence[str]) -> list[str]:
    """Leaves out what the names of runs share, for figures and tables.

    Example:
        >>> short_names(["sst2-mask-1e-3-0", "sst2-mask-1e-3-1", "trec-mask-1e-3-0"])
        ['sst2-0', 'sst2-1', 'trec-0']
        >>> short_names(["first", "the-second"])
        ['first', 'the-second']
    """
    parts = [name.split("-") for name in names]
    if len(names) == 1 or len(set(map(len, parts))) > 1:
        return list(names)
    told_apart = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
    return ["-".join(compress(words, told_apart)) for words in parts]
