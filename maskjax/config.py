"""Everything that a run is told, as frozen dataclasses: a run is a function of (config, seed).

Fields are scalars, tuples, literals and optional values only, so that a configuration reads the
same in Python, on the command line and in the JSON file that is saved with the run.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

from maskjax.errors import InputError

Method = Literal["mask", "finetune", "head", "lora", "bitfit"]
Metric = Literal["accuracy", "f1", "matthews", "pearson", "spearman"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which pretrained model stands under the task.

    Attributes:
        base: A local folder or a Hugging Face Hub id with a BERT, RoBERTa or DistilBERT
            checkpoint in safetensors.
        revision: A commit, branch or tag on the Hub.
        dtype: The dtype of activations and products; scores, loss and logits stay in float32.
        offline: Never ask the network, use only what is stored locally.
    """

    base: str = "bert-base-uncased"
    revision: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    offline: bool = False


@dataclass(frozen=True, kw_only=True)
class TaskConfig:
    """Which rows are learned from, and how they are scored.

    Attributes:
        name: A built-in name, such as `docstrings/library` or `glue/sst2`, or the id of any data
            set on the Hugging Face Hub.
        subset: The data set's configuration on the Hub.
        path: A local folder with train, dev and test files (.tsv, .csv, .jsonl or .parquet) to
            read instead of the Hub.
        text: One or two text columns; empty means those of the built-in task.
        label: The label column.
        labels: Label names in order; empty means those found in the training rows, sorted.
        kind: What is predicted: one of several classes, or a number.
        metric: How the selection split is scored; higher is better.
        max_length: Tokens per example, special ones included; longer texts are cut and counted.
        train_rows: Use only so many training rows, drawn at random by `split_seed`.
        holdout: Share of the training rows that is held out to select the best step, instead of
            the dev split.
        split_seed: Draws `train_rows` and `holdout`; not the seed of the run, so that seeds are
            compared on the same rows.
    """

    name: str = "docstrings/library"
    subset: str | None = None
    path: str | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    labels: tuple[str, ...] = ()
    kind: Literal["classification", "regression"] | None = None
    metric: Metric | None = None
    max_length: int = 128
    train_rows: int | None = None
    holdout: float = 0.0
    split_seed: int = 0

    def __post_init__(self) -> None:
        _check(self.max_length >= 3, "task.max_length", "at least 3 tokens", self.max_length)
        _check(0 <= self.holdout < 1, "task.holdout", "a share in [0, 1)", self.holdout)
        _check(len(self.text) <= 2, "task.text", "one or two columns", self.text)


@dataclass(frozen=True, kw_only=True)
class AdaptationConfig:
    """How the pretrained model is adapted.

    Attributes:
        method: Learn a mask, finetune all weights, train the head alone, add low-rank updates,
            or train the biases.
        start: How scores start. `proportional` and `ones` keep every weight, `margin` above the
            threshold: in proportion to |W|, or all at the same distance. `uniform` is the
            paper's; it and `magnitude`, `random` and `double_uniform` drop a fraction `sparsity`.
        margin: Mean distance above the threshold for `proportional` and `ones`.
        protect: With the start `proportional`, weights smaller than this multiple of their
            matrix' mean |W| are never dropped. About 0.5 makes task files several times smaller.
        sparsity: Fraction of zeros that the mask starts with, or for top-k keeps; None means
            5 %, or none where the start keeps every weight.
        threshold: τ; a score above it keeps its weight.
        binarizer: How scores become bits.
        kinds: Kinds of matrices to mask; empty means all that the model has (the head by `head`).
        blocks: First and last block to mask, from 0; None means the paper's range: all but the
            first sixth of the blocks (2 of 12), and all but the first two for DistilBERT.
        biases: Mask the biases of these matrices too.
        granularity: One score per weight, per attention head or per matrix.
        head: The randomly initialised head: `trained`, `masked` and frozen as in the paper, or
            `both`.
        rank: Rank of the low-rank updates.
        alpha: Scale of the low-rank updates, divided by the rank.
    """

    method: Method = "mask"
    start: Literal["proportional", "ones", "uniform", "magnitude", "random", "double_uniform"] = (
        "proportional"
    )
    margin: float = 0.05
    protect: float = 0.0
    sparsity: float | None = None
    threshold: float = 1e-2
    binarizer: Literal["threshold", "sign", "bernoulli", "top_k", "global_top_k"] = "threshold"
    kinds: tuple[str, ...] = ()
    blocks: tuple[int, int] | None = None
    biases: bool = False
    granularity: Literal["weight", "head", "matrix"] = "weight"
    head: Literal["trained", "masked", "both"] = "trained"
    rank: int = 8
    alpha: float = 16.0

    def __post_init__(self) -> None:
        _check(
            self.sparsity is None or 0 < self.sparsity < 1,
            "adaptation.sparsity",
            "a fraction in (0, 1)",
            self.sparsity,
        )
        _check(self.margin > 0, "adaptation.margin", "above 0", self.margin)
        _check(self.protect >= 0, "adaptation.protect", "0 or more", self.protect)
        _check(self.threshold > 0, "adaptation.threshold", "above 0", self.threshold)
        _check(self.rank >= 1, "adaptation.rank", "at least 1", self.rank)


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How the trainable arrays move.

    Attributes:
        name: The optimiser.
        learning_rate: Peak learning rate. Masking needs one about 10 times that of finetuning.
        head_learning_rate: Peak rate of a trained head; None means `learning_rate`.
        pull: Each step also adds this share of the rate to every score, a decoupled pull towards
            keeping, so that only weights that gradients insist on are dropped. About 0.1 makes
            task files smaller; on tasks that are slow to learn it stops the learning.
        schedule: Decay after the warm-up.
        warmup: Share of all steps with a linearly rising rate.
        weight_decay: Decoupled weight decay of AdamW, on matrices of finetuned weights; scores
            are not decayed, since zero is not a neutral score.
        clip: Global norm that gradients are clipped to; 0 turns clipping off.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 1e-3
    head_learning_rate: float | None = None
    pull: float = 0.0
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0

    def __post_init__(self) -> None:
        _check(self.learning_rate > 0, "optimizer.learning_rate", "above 0", self.learning_rate)
        _check(0 <= self.warmup < 1, "optimizer.warmup", "a share in [0, 1)", self.warmup)
        _check(self.pull >= 0, "optimizer.pull", "0 or more", self.pull)
        _check(self.clip >= 0, "optimizer.clip", "0 or more", self.clip)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long to train, on which batches, and how often to look.

    Attributes:
        batch_size: Rows a step, over all devices.
        epochs: Passes over the training rows.
        buckets: Sequence lengths that batches are padded to, ascending; one program is compiled
            for each one in use.
        eval_every: Steps between evaluations; None means half an epoch.
        patience: Evaluations without a better score before training stops early; None trains to
            the end.
        seed: Seeds scores, head, dropout and the order of the rows.
    """

    batch_size: int = 32
    epochs: int = 3
    buckets: tuple[int, ...] = (16, 32, 64, 128)
    eval_every: int | None = None
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self.batch_size >= 1, "train.batch_size", "at least 1", self.batch_size)
        _check(self.epochs >= 1, "train.epochs", "at least 1", self.epochs)
        _check(
            bool(self.buckets) and list(self.buckets) == sorted(set(self.buckets)),
            "train.buckets",
            "ascending lengths",
            self.buckets,
        )
        _check(
            self.eval_every is None or self.eval_every >= 1,
            "train.eval_every",
            "at least 1 step",
            self.eval_every,
        )


@dataclass(frozen=True, kw_only=True)
class Config:
    """A whole run.

    Attributes:
        model: The pretrained model.
        task: The rows and the metric.
        adaptation: What is learned.
        optimizer: How it moves.
        train: How long.

    Example:
        >>> Config(train=TrainConfig(epochs=1)).train.epochs
        1
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    task: TaskConfig = field(default_factory=TaskConfig)
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


def _check(holds: bool, name: str, expected: str, came: Any) -> None:
    if not holds:
        raise InputError(f"{name}: expected {expected}, got {came}.")
