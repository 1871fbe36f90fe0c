"""The type of the task of a head, inferred from its tensors."""

from collections.abc import Iterable
from typing import NamedTuple

from maskjax.models.config import Family, TaskType

OUTPUT = "classifier.weight"


class RecognizedHead(NamedTuple):
    """The inferred type of the task of a head.

    Attributes:
        kind: The most likely type.
        alternative: Another type whose head has the same tensors, or None.
    """

    kind: TaskType
    alternative: TaskType | None

    def may_be(self, kind: TaskType) -> bool:
        """Whether the tensors fit a type of task; heads for words differ from all others."""
        candidates = [self.kind, *([self.alternative] if self.alternative else ())]
        return any((kind == "tokens") == (candidate == "tokens") for candidate in candidates)


def recognize_head(names: Iterable[str], family: Family, outputs: int) -> RecognizedHead | None:
    """Infers the type of task from the names and the width of a head's matrices.

    Example:
        >>> recognize_head(["classifier.weight"], "distilbert", 9).kind
        'tokens'
    """
    names = set(names)
    if OUTPUT not in names:
        is_roberta = family == "roberta" and "classifier.out_proj.weight" in names
        return RecognizedHead("classification", None) if is_roberta else None
    if family == "roberta" and outputs == 1:
        return RecognizedHead("choice", "tokens")
    if family == "roberta" or not _has_hidden_layer(names, family):
        return RecognizedHead("tokens", None)
    if outputs == 1:
        return RecognizedHead("regression", "choice")
    # Taggers of transformers 2 have a pooler, which they do not use.
    return RecognizedHead("classification", "tokens" if family == "bert" else None)


def _has_hidden_layer(names: set[str], family: Family) -> bool:
    """Whether there is a layer before the last, or may be in the encoder, if that is not saved."""
    if family == "distilbert":
        return "pre_classifier.weight" in names
    is_whole = any(name.startswith("embeddings.") for name in names)
    return "pooler.dense.weight" in names or not is_whole
