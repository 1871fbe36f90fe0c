"""Settings of the optimizer."""

from dataclasses import dataclass
from typing import Literal

from maskjax.config.check import check


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """How the trainable arrays move.

    Attributes:
        name: The optimizer: AdamW, Adam, gradient descent with momentum 0.9, or steps of the
            gradient's sign.
        learning_rate: Peak learning rate. Masking needs one about 10 times that of finetuning.
        head_learning_rate: Peak rate of a trained head; None means `learning_rate`.
        score_decay: Each step also adds this share of the rate to every score, a decoupled decay
            towards keeping, so that a weight is dropped only where gradients outweigh it. About
            0.1 makes task files smaller; on tasks that are slow to learn it stops the learning.
        schedule: Decay after the warm-up. `restarts` decays along a cosine `cycles` times; the
            end of each cycle is saved in `snapshots/`, for ensembles.
        cycles: Cycles of the schedule `restarts`.
        warmup: Share of all steps with a linearly rising rate.
        weight_decay: Decoupled weight decay of AdamW, on matrices of finetuned weights; scores
            are not decayed, since zero is not a neutral score.
        clip: Global norm that gradients are clipped to; 0 turns clipping off.
        moment_dtype: The dtype of the first moments of Adam and AdamW, and of the momentum of
            gradient descent. Second moments stay in float32: in bfloat16, of 8 bits, a step of
            the mean that changes them by less than 1/256 would be lost.
        multiplier_learning_rate: Rate of the Lagrange multiplier λ that holds masks to
            `adaptation.target_sparsity`, by Adam: about what λ grows by in a step while the mask
            is off its target. The more weights are masked, the larger the λ it takes.
    """

    name: Literal["adamw", "adam", "sgd", "signsgd"] = "adamw"
    learning_rate: float = 1e-3
    head_learning_rate: float | None = None
    score_decay: float = 0.0
    schedule: Literal["cosine", "linear", "constant", "restarts"] = "cosine"
    cycles: int = 5
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    moment_dtype: Literal["float32", "bfloat16"] = "float32"
    multiplier_learning_rate: float = 1.0

    def __post_init__(self) -> None:
        check(self.learning_rate > 0, "optimizer.learning_rate", "above 0", self.learning_rate)
        check(0 <= self.warmup < 1, "optimizer.warmup", "a share in [0, 1)", self.warmup)
        check(self.cycles >= 1, "optimizer.cycles", "at least 1", self.cycles)
        check(self.score_decay >= 0, "optimizer.score_decay", "0 or more", self.score_decay)
        check(self.clip >= 0, "optimizer.clip", "0 or more", self.clip)
        check(
            self.multiplier_learning_rate > 0,
            "optimizer.multiplier_learning_rate",
            "above 0",
            self.multiplier_learning_rate,
        )
