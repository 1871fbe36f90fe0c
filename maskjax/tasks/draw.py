"""Rows drawn at random by `split_seed`: for training, held out, and for evaluation."""

import numpy as np

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks.task import Split


def draw_train(train: Split, config: TaskConfig) -> dict[str, Split]:
    """Draws the training rows, and out of these the rows that are held out.

    Fewer rows are a subset of more rows. Asking for more than there are draws all of them.
    """
    order = _order(train, config.train_rows, config, "train_rows")
    held = round(len(order) * config.holdout)
    if config.holdout and not 0 < held < len(order):
        raise InputError(
            f"--task.holdout: {config.holdout} of {len(order)} training rows is {held} rows;"
            " expected at least one row held out and one left."
        )
    if not held:
        return {"train": train.take(order)}
    return {"train": train.take(order[:-held]), "holdout": train.take(order[-held:])}


def draw_eval(split: Split, config: TaskConfig) -> Split:
    """Draws the rows of a split that are scored."""
    return split.take(_order(split, config.eval_rows, config, "eval_rows"))


def _order(split: Split, count: int | None, config: TaskConfig, option: str) -> np.ndarray:
    if count is not None and count < 1:
        raise InputError(f"--task.{option}: expected at least 1, got {count}.")
    return np.random.default_rng(config.split_seed).permutation(len(split.texts))[:count]
