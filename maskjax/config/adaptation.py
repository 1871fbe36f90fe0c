"""Settings of the adaptation."""

import math
from dataclasses import dataclass
from typing import Literal

from maskjax.config.check import check

Method = Literal["mask", "finetune", "head", "lora", "bitfit"]
ScoreInit = Literal[
    "proportional",
    "ones",
    "uniform",
    "magnitude",
    "magnitude_and_uniform",
    "random",
    "double_uniform",
]


@dataclass(frozen=True, kw_only=True)
class AdaptationConfig:
    """How the pretrained model is adapted.

    Attributes:
        method: Learn a mask, finetune all weights, train the head alone, add low-rank updates,
            or train the biases.
        initializer: How scores start. `proportional` and `ones` keep every weight, `margin` above
            the threshold: in proportion to |W|, or all at the same distance. `uniform` is the
            paper's; it and `magnitude`, `random` and `double_uniform` drop a fraction `sparsity`.
            `magnitude_and_uniform` is `magnitude` in the encoder and `uniform` in the head.
        margin: Mean distance above the threshold for `proportional` and `ones`.
        protect: With the initializer `proportional`, weights smaller than this multiple of their
            matrix' mean |W| are never dropped. About 0.5 makes task files several times smaller.
        sparsity: Fraction of zeros that the mask starts with, or for top-k keeps; None means
            5 %, or none where the initializer keeps every weight.
        target_sparsity: Fraction of zeros that a penalty λ (target − sparsity)² drives the mask to,
            with λ trained by ascent; None leaves the sparsity to the task.
        sparsity_schedule: How the target gets there from the mask's start: in one step, along a
            cubic over the first half of training, or in four equal steps over that half.
        threshold: τ; a score above it keeps its weight.
        binarizer: How scores become bits.
        bernoulli_gradient: What reaches the scores of `bernoulli`: the gradient of the mask, as in
            the paper's reference code, or that times the slope of the probability, σ′.
        matrix_types: Types of matrices to mask; empty means all that the model has (the head by
            `head`).
        blocks: First and last block to mask, from 0; None means the paper's range: all but the
            first sixth of the blocks (2 of 12), and all but the first two for DistilBERT.
        biases: Mask the biases of these matrices too.
        granularity: One score per weight, per attention head or per matrix.
        structured: Masked matrix types that `granularity` is for, `head` among them; the others
            have one score per weight. Empty means all masked types.
        head: The randomly initialized head: `trained`, `masked` and frozen as in the paper, or
            `both`.
        masks: A run folder or task file whose masks hold fixed while another method trains under
            them, from that run's head on. `head` then says whether the head is trained without
            its mask, frozen under it (`masked`), or trained under it (`both`).
        rank: Rank of the low-rank updates.
        alpha: Scale of the low-rank updates, divided by the rank.
    """

    method: Method = "mask"
    initializer: ScoreInit = "proportional"
    margin: float = 0.05
    protect: float = 0.0
    sparsity: float | None = None
    target_sparsity: float | None = None
    sparsity_schedule: Literal["constant", "cubic", "stepwise"] = "constant"
    threshold: float = 1e-2
    binarizer: Literal["threshold", "sign", "bernoulli", "top_k", "global_top_k"] = "threshold"
    bernoulli_gradient: Literal["identity", "sigmoid"] = "identity"
    matrix_types: tuple[str, ...] = ()
    blocks: tuple[int, int] | None = None
    biases: bool = False
    granularity: Literal["weight", "head", "matrix"] = "weight"
    structured: tuple[str, ...] = ()
    head: Literal["trained", "masked", "both"] = "trained"
    masks: str | None = None
    rank: int = 8
    alpha: float = 16.0

    def __post_init__(self) -> None:
        check(
            self.sparsity is None or 0 < self.sparsity < 1,
            "adaptation.sparsity",
            "a fraction in (0, 1)",
            self.sparsity,
        )
        check(
            self.target_sparsity is None or 0 < self.target_sparsity < 1,
            "adaptation.target_sparsity",
            "a fraction in (0, 1)",
            self.target_sparsity,
        )
        check(self.margin > 0, "adaptation.margin", "above 0", self.margin)
        check(self.protect >= 0, "adaptation.protect", "0 or more", self.protect)
        check(
            math.isfinite(self.threshold),
            "adaptation.threshold",
            "a finite number",
            self.threshold,
        )
        check(
            self.bernoulli_gradient == "identity" or self.binarizer == "bernoulli",
            "adaptation.bernoulli_gradient",
            "identity, for the binarizer is another than bernoulli",
            self.bernoulli_gradient,
        )
        check(self.rank >= 1, "adaptation.rank", "at least 1", self.rank)
        check(
            self.masks is None or self.method != "mask",
            "adaptation.method",
            "finetune, head, bitfit or lora under the fixed --adaptation.masks",
            self.method,
        )
        check(
            self.masks is None or (self.method, self.head) != ("head", "masked"),
            "adaptation.head",
            "trained or both, for the method head trains nothing else",
            self.head,
        )
        check(
            not self.structured or self.granularity != "weight",
            "adaptation.granularity",
            "head or matrix for the matrix types of --adaptation.structured",
            self.granularity,
        )
