"""Settings of the task."""

from dataclasses import dataclass
from typing import Literal

from maskjax.config.check import check

Metric = Literal[
    "accuracy",
    "f1",
    "matthews",
    "macro_recall",
    "pearson",
    "spearman",
    "entity_f1",
    "entity_f1_strict",
]


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """Which rows are learned from, and how they are scored.

    Attributes:
        name: A built-in name, such as `docstrings/library` or `glue/sst2`, or the id of any data
            set on the Hugging Face Hub.
        subset: The data set's configuration on the Hub.
        path: A local folder with train, dev and test files (.tsv, .csv, .jsonl or .parquet; for
            words also .conll, .txt or .conllu) to read instead of the Hub; the dev file may also
            be called valid, val or validation. Or one such file, whose rows are for training.
        text: One or two text columns; empty means those of the built-in task.
        label: The label column; `a:b` joins the columns a and b with a colon.
        labels: Label names in order; empty means those found in the training rows, sorted. Where
            all are KEY=NAME and every key is a label of the data, such as 0=anger 1=joy, they
            rename these labels.
        choices: The columns of the texts to choose from, where the kind is `choice`.
        kind: What is predicted: one of several classes, a number, a class for each word
            (`tokens`), or which of several texts continues the first (`choice`).
        word_piece: Which piece of a word stands for it, where the kind is `tokens`.
        metric: How the selection split is scored; higher is better.
        positive: The label whose rows f1 is about; None is the second of the two.
        max_length: Tokens per example, special ones included; longer texts are cut and counted, or
            read in windows (`stride`).
        stride: Tokens that neighboring windows of a longer text share, as in transformers: the text
            is read in as many windows of `max_length` as it needs, whose logits are averaged; a
            word has those of the window in which it is farthest from an end. Of a pair the longer
            text is read so. About a quarter of `max_length` is usual. None cuts longer texts.
        train_rows: Use only so many training rows, drawn at random by `split_seed`.
        eval_rows: Use only so many rows of each dev and test split, drawn by `split_seed`; a
            note says how many are left out, and `maskjax evaluate --eval-rows all` scores all.
        holdout: Share of the training rows that is held out to select the best step, instead of
            the dev split.
        split_seed: Draws `train_rows`, `eval_rows` and `holdout`; not the seed of the run, so that
            seeds are compared on the same rows.
        cache: Keep the tokenized rows in the folder MASKJAX_CACHE, `~/.cache/maskjax` if that is
            not set, for later runs on the same texts; about 8 bytes a token.
    """

    name: str = "docstrings/library"
    subset: str | None = None
    path: str | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    labels: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    kind: Literal["classification", "regression", "tokens", "choice"] | None = None
    word_piece: Literal["first", "last"] = "last"
    metric: Metric | None = None
    positive: str | None = None
    max_length: int = 128
    stride: int | None = None
    train_rows: int | None = None
    eval_rows: int | None = None
    holdout: float = 0.0
    split_seed: int = 0
    cache: bool = True

    def __post_init__(self) -> None:
        check(0 < len(self.name) <= 1000, "task.name", "1 to 1,000 characters", self.name)
        check(self.max_length >= 3, "task.max_length", "at least 3 tokens", self.max_length)
        check(
            self.stride is None or 0 <= self.stride <= self.max_length // 2,
            "task.stride",
            f"0 to {self.max_length // 2} tokens, half of task.max_length",
            self.stride,
        )
        check(0 <= self.holdout < 1, "task.holdout", "a share in [0, 1)", self.holdout)
        check(len(self.text) <= 2, "task.text", "one or two columns", self.text)
