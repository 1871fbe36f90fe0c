"""The kind of the task of a head, inferred from its tensors."""

from collections.abc import Iterable
from typing import NamedTuple

from maskjax.models import ARCHITECTURES, TaskType, torch_name
from maskjax.models.heads import (
    GeluHead,
    GeluPreClassifierHead,
    NormedPoolerHead,
    PoolerHead,
    PreClassifierHead,
    ScoreHead,
    SummaryHead,
    TanhHead,
)

OUTPUT = "classifier/kernel"
"""The last matrix of most heads."""


class RecognizedHead(NamedTuple):
    """The inferred kind of the task of a head."""

    kind: TaskType  # the most likely kind
    alternative: TaskType | None  # another type whose head has the same tensors, or None

    def may_be(self, kind: TaskType) -> bool:
        """Whether the tensors fit a type of task; heads for words differ from all others."""
        candidates = [self.kind, *([self.alternative] if self.alternative else ())]
        return any((kind == "tokens") == (candidate == "tokens") for candidate in candidates)


def recognize_head(names: Iterable[str], family: str, outputs: int) -> RecognizedHead | None:
    """Finds the type of a head from the names and the width of its matrices.

    Example:
        >>> recognize_head(["classifier.weight"], "distilbert", 9).kind
        'tokens'
    """
    names, heads = set(names), ARCHITECTURES[family].heads
    # Heads of rows have a name of their own for the last layer, except where they share a pooler.
    of_rows = heads["classification"] in (TanhHead, GeluHead)
    output = torch_name(OUTPUT, family)
    if output not in names:
        is_of_rows = of_rows and "classifier.out_proj.weight" in names
        return RecognizedHead("classification", None) if is_of_rows else None
    if heads["choice"] is SummaryHead and "sequence_summary.summary.weight" in names:
        return RecognizedHead("choice", None)
    if heads["classification"] is ScoreHead:
        return _by_bias(output.replace("weight", "bias") in names, outputs)
    if heads["choice"] is PoolerHead and of_rows and outputs == 1:
        return RecognizedHead("choice", "tokens")
    if of_rows or not _has_hidden_layer(names, family):
        return RecognizedHead("tokens", None)
    # Taggers of transformers 2 have a pooler, which they do not use; those of ModernBERT use it.
    has_pooler = heads["classification"] in (PoolerHead, NormedPoolerHead)
    several = RecognizedHead("classification", "tokens" if has_pooler else None)
    return RecognizedHead("regression", "choice") if outputs == 1 else several


def _by_bias(has_bias: bool, outputs: int) -> RecognizedHead:
    """The type where only heads of words and of choices have a bias."""
    if has_bias:
        return RecognizedHead("choice" if outputs == 1 else "tokens", None)
    return RecognizedHead("regression" if outputs == 1 else "classification", None)


def _has_hidden_layer(names: set[str], family: str) -> bool:
    """Whether there is a layer before the last, or may be: a pooler of an encoder not in here."""
    architecture = ARCHITECTURES[family]
    if architecture.heads["classification"] in (PreClassifierHead, GeluPreClassifierHead):
        return architecture.rename("pre_classifier.weight") in names
    is_whole = any(name.startswith("embeddings.") for name in names)
    return architecture.rename("pooler.dense.weight") in names or not is_whole
