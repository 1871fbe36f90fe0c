"""Rows drawn at random by `split_seed`: for training, held out, and for evaluation."""

import numpy as np

from maskjax.config import TaskConfig
from maskjax.errors import InputError
from maskjax.tasks.task import Split


def draw_train(train: Split, config: TaskConfig) -> dict[str, Split]:
    """Draws the training rows, and the held-out rows from among them.

    A smaller draw is a subset of a larger one, and a number beyond the number of rows draws all.
    """
    order = _order(train, config.train_rows, config, "train_rows")
    num_held = round(len(order) * config.holdout)
    if config.holdout and not 0 < num_held < len(order):
        raise InputError(
            f"--task.holdout: {config.holdout} of {len(order)} training rows is {num_held} rows;"
            " expected at least one row held out and one left."
        )
    if not num_held:
        return {"train": train.take(order)}
    return {"train": train.take(order[:-num_held]), "holdout": train.take(order[-num_held:])}


def draw_eval(split: Split, config: TaskConfig) -> Split:
    """Draws the rows of a split that are scored."""
    return split.take(_order(split, config.eval_rows, config, "eval_rows"))


def _order(split: Split, count: int | None, config: TaskConfig, option: str) -> np.ndarray:
    if count is not None and count < 1:
        raise InputError(f"--task.{option}: expected at least 1, got {count}.")
    return np.random.default_rng(config.split_seed).permutation(len(split.texts))[:count]
