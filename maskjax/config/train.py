"""Settings of training."""

from dataclasses import dataclass
from typing import Literal

from maskjax.config.check import check

Remat = Literal["nothing", "masked_weights", "blocks"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How long to train, on which batches, and how often to look.

    Attributes:
        batch_size: Rows a step, over all devices.
        epochs: Passes over the training rows; may be raised when a run resumes.
        buckets: Sequence lengths that batches are padded to, ascending; one program is compiled
            for each one in use. Where `task.max_length` is above the last, longer ones are added,
            each twice as long: 256 to 8192 for 8,192 tokens. Fewer ones compile less and pad more.
        dropout: Rate of every dropout while training; None means the rates of the checkpoint, which
            finetuning needs and masks do not.
        eval_every: Steps between evaluations; None means half an epoch.
        patience: Evaluations without a better score before training stops early; None trains to
            the end.
        seed: Seeds scores, head, dropout and the order of the rows.
        seeds: How many seeds to train at once, from `seed` on, over one copy of the frozen base.
            Each gets what a run of its own would get.
        seed_loop: How a step goes through the seeds: `vmap`, all in one batched computation, or
            `map`, one after the other with memory for the activations of one. `map` is for seeds
            whose activations do not fit together; benchmarks/seeds.py times both.
        checkpoint_minutes: Minutes between two checkpoints; there is one at every best evaluation
            too. None means only those. It may change when a run resumes.
        checkpoints: Where they are, such as a folder of a mounted Drive or `gs://bucket/folder`
            (which needs gcsfs), of this run alone; None means `checkpoints` in the run folder.
        accumulate: Parts of a batch that a step, or an evaluation, goes through one after the
            other, with memory for the activations of one. Gradients are those of the whole batch.
        remat: What the backward pass computes again instead of keeping it: `nothing`, the
            `masked_weights` W ⊙ M, or what is inside of the `blocks`. On a CPU the first saves
            their bytes and the second nothing; on a TPU the second nearly halves the peak, and
            the first saves nothing (docs/results-appendix.md).
        check_finite: A debug switch: waits for each step, and stops at the first one after which
            the loss or a trained array is not finite, with its name. Without it the loss is
            checked at every tenth step.
    """

    batch_size: int = 32
    epochs: int = 3
    buckets: tuple[int, ...] = (16, 32, 64, 128)
    dropout: float | None = 0.0
    eval_every: int | None = None
    patience: int | None = None
    seed: int = 0
    seeds: int = 1
    seed_loop: Literal["vmap", "map"] = "vmap"
    checkpoint_minutes: float | None = 3.0
    checkpoints: str | None = None
    accumulate: int = 1
    remat: Remat = "nothing"
    check_finite: bool = False

    def __post_init__(self) -> None:
        check(self.batch_size >= 1, "train.batch_size", "at least 1", self.batch_size)
        check(self.epochs >= 1, "train.epochs", "at least 1", self.epochs)
        check(
            self.dropout is None or 0 <= self.dropout < 1,
            "train.dropout",
            "a rate in [0, 1)",
            self.dropout,
        )
        check(
            bool(self.buckets) and list(self.buckets) == sorted(set(self.buckets)),
            "train.buckets",
            "ascending lengths",
            self.buckets,
        )
        check(
            self.eval_every is None or self.eval_every >= 1,
            "train.eval_every",
            "at least 1 step",
            self.eval_every,
        )
        check(self.seeds >= 1, "train.seeds", "at least 1", self.seeds)
        check(
            self.checkpoint_minutes is None or self.checkpoint_minutes >= 0,
            "train.checkpoint_minutes",
            "at least 0",
            self.checkpoint_minutes,
        )
        check(
            self.accumulate >= 1 and self.batch_size % self.accumulate == 0,
            "train.accumulate",
            f"a divisor of train.batch_size = {self.batch_size}",
            self.accumulate,
        )
