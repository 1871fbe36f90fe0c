"""Masks that PyTorch code learned become a task: the paper's reference code, and `prune`.

Both keep `<module>.weight_mask` next to the weights. In the reference code (MaskedLinear1 to 3) it
holds scores and the weight is `<module>.weight`; in `torch.nn.utils.prune` it holds zeros and ones
and the weight is `<module>.weight_orig`. Biases alike.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from maskjax.adaptation import Delta
from maskjax.errors import InputError
from maskjax.export.compared_weights import changed_weights, count_removed
from maskjax.export.parameter_names import list_names, spell_name
from maskjax.export.recognized_head import OUTPUT, RecognizedHead, recognize_head
from maskjax.export.state_parts import StateDict, StateParts, check_shapes, sort_state
from maskjax.masking import flatten_with_paths
from maskjax.models import Base, Model, TaskType, build_model, head_paths, torch_name
from maskjax.taskfile.limits import MAX_LABELS

Leaves = dict[str, np.ndarray]
_model = lru_cache(maxsize=16)(build_model)  # whose shapes are asked for more than once


class Imported(NamedTuple):
    """What a state dict adds to a base.

    Attributes:
        delta: What the task adds to the base, of NumPy arrays.
        num_outputs: The width of its head; 1 for a choice.
        changed: Paths of weights outside the head that differ from those of the base.
        unused: Names of masks that the model has no use for, such as a pooler under tags.
        kind: What the head is for.
        doubt: Another kind whose head has the same tensors, where the kind was not given; None
            where there is none.
    """

    delta: Delta
    num_outputs: int
    changed: tuple[str, ...]
    unused: tuple[str, ...]
    kind: TaskType
    doubt: TaskType | None


def import_state(
    state: StateDict, base: Base, *, kind: TaskType | None = None, threshold: float = 1e-2
) -> Imported:
    """Takes the masks, the head and whatever else differs from the base out of a state dict.

    All names and shapes are checked before an array is read.

    Args:
        state: From `read_state_dict`: the whole model, or only the masks and the head. Weights of
            16 bits that are those of the base within their precision count as those of the base.
        base: The pretrained model under the masks.
        kind: What the head is for; None to tell it by its tensors. Classification and regression
            have the same.
        threshold: τ; a score above it keeps its weight, compared in the dtype of the score. The
            reference code has 0.01 for MaskedLinear1; for MaskedLinear2 (signs) and MaskedLinear3
            (logits, of which the likelier bit is taken) give 0. Masks of `torch.nn.utils.prune` do
            not use it.

    Returns:
        The adaptation.

    Raises:
        InputError: If there are no masks or there is no head, or if a tensor does not fit or is
            damaged.
    """
    if not math.isfinite(threshold):
        raise InputError(f"threshold: expected a finite number, got {threshold}.")
    found = _recognize(state, base)
    doubt = found.doubt if found and kind is None else None
    kind = kind or (found.kind if found else "classification")
    if found and not found.may_be(kind):
        raise InputError(_other_head(found, kind))
    model = _model(base.config, _num_outputs(state, base, kind, found), kind=kind)
    parts = sort_state(state, model)
    check_shapes(parts, model, base.name)
    if not parts.masks:
        raise InputError(_no_masks(parts, base))
    masks = _read_masks(parts, model, threshold)
    head = {path: parts.weights[path].read_weight() for path in head_paths(model)}
    changed = changed_weights(parts.weights, base)
    _check_finite(head | changed, parts)
    delta = Delta.of(weights=head | changed, masks=masks)
    return Imported(delta, model.num_outputs, tuple(changed), parts.unused, kind, doubt)


def _recognize(state: StateDict, base: Base) -> RecognizedHead | None:
    family = base.config.family
    spelled = {name: spell_name(name, family) for name in state}
    weights = {s.name: state[name] for name, s in spelled.items() if s.suffix != "_mask"}
    output = weights.get(OUTPUT)
    outputs = output.shape[0] if output is not None and len(output.shape) == 2 else 0
    return recognize_head(weights, family, outputs)


def _num_outputs(state: StateDict, base: Base, kind: TaskType, found: RecognizedHead | None) -> int:
    """The width of the head, from the shape of its last kernel."""
    family = base.config.family
    leaves = flatten_with_paths(_model(base.config, 1, kind=kind).abstract)
    (last,) = (path for path, leaf in leaves.items() if leaf.shape[1:] == (1,))
    wanted = torch_name(last, family)
    for name, array in state.items():
        spelled = spell_name(name, family)
        if spelled.name == wanted and spelled.suffix != "_mask" and len(array.shape) == 2:
            if not 1 <= array.shape[0] <= MAX_LABELS:
                raise InputError(f"{list_names([name])} has {array.shape[0]:,} outputs.")
            return array.shape[0]
    if found:
        raise InputError(_other_head(found, kind))
    known = {torch_name(path, family) for path in flatten_with_paths(base.params)}
    others = [name for name in state if spell_name(name, family).name not in known]
    raise InputError(
        f"the state dict has no head for {kind} ({wanted}), without which the task cannot be "
        f"computed; besides the encoder it has {list_names(others) or 'nothing'}; save that of the "
        "whole model, or give another --task.kind."
    )


def _other_head(found: RecognizedHead, kind: TaskType) -> str:
    return (
        f"the state dict has no head for {kind} but one that looks as if it were for {found.kind}; "
        f"give --task.kind {found.kind}, or another --task.kind."
    )


def _no_masks(parts: StateParts, base: Base) -> str:
    expected = "the state dict has no masks; expected names such as ….weight_mask"
    if removed := count_removed(parts.weights, base):
        return (
            f"{expected}. {removed:,} weights of the base are zeros in it, so the masks were made "
            "permanent: save it before torch.nn.utils.prune.remove."
        )
    return f"{expected}; if they were taken off, save it before torch.nn.utils.prune.remove."


def _read_masks(parts: StateParts, model: Model, threshold: float) -> Leaves:
    """Reads scores and makes bits of them, one for each weight."""
    shapes = {path: leaf.shape for path, leaf in flatten_with_paths(model.abstract).items()}
    masks, problems = {}, []
    for path, entry in parts.masks.items():
        scores, is_mask = entry.read(), parts.is_pruned(path)
        problems += _bad_scores(entry.name, scores, is_mask=is_mask)
        bits = scores != 0 if is_mask else _above(scores, threshold)
        masks[path] = _expand(bits, shapes[path], model.config.num_heads)
    if problems:
        raise InputError(f"the state dict has bad masks: {list_names(problems, '; ')}.")
    return masks


def _bad_scores(name: str, scores: np.ndarray, *, is_mask: bool) -> Iterator[str]:
    if not np.isfinite(scores).all():
        yield f"{name} has values that are not finite"
    elif is_mask and not ((scores == 0) | (scores == 1)).all():
        original = name.removesuffix("_mask") + "_orig"
        yield f"{name} has values besides 0 and 1, and {original} is there"


def _above(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Compares in the dtype of the scores, as PyTorch does: their τ is rounded as they are."""
    if scores.dtype.kind in "biu":
        return scores > threshold
    return scores > np.asarray(threshold).astype(scores.dtype)


def _expand(mask: np.ndarray, shape: tuple[int, ...], num_heads: int) -> np.ndarray:
    """Writes out a structured mask: one bit a matrix, or one for each attention head's outputs."""
    if mask.shape == (num_heads,) and mask.shape != shape:
        mask = mask.repeat(shape[-1] // num_heads)
    return np.ascontiguousarray(np.broadcast_to(mask, shape))


def _check_finite(weights: Leaves, parts: StateParts) -> None:
    bad = [parts.weights[path].name for path, w in weights.items() if not np.isfinite(w).all()]
    if bad:
        raise InputError(f"the state dict has weights that are not finite: {list_names(bad)}.")
