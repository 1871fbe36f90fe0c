"""Import of masks that PyTorch code learned: the paper's reference code, and `prune`.

Both keep `<module>.weight_mask` next to the weights. In the reference code (MaskedLinear1 to 3) it
holds scores and the weight is `<module>.weight`; in `torch.nn.utils.prune` it holds zeros and ones
and the weight is `<module>.weight_orig`. The same holds for biases.
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

Arrays = dict[str, np.ndarray]
_model = lru_cache(maxsize=16)(build_model)  # an import needs its shapes more than once


class Imported(NamedTuple):
    """The adaptation in a state dict.

    Attributes:
        delta: The delta of the task, of NumPy arrays.
        num_outputs: The width of the head; 1 for a choice.
        changed: Paths of weights outside the head that differ from the base.
        unused: Names of masks that the model does not use, such as a pooler under tags.
        kind: The kind of the task.
        alternative: Another type whose head has the same tensors, or None; None also if the type
            was given.
    """

    delta: Delta
    num_outputs: int
    changed: tuple[str, ...]
    unused: tuple[str, ...]
    kind: TaskType
    alternative: TaskType | None


def import_state(
    state: StateDict, base: Base, *, kind: TaskType | None = None, threshold: float = 1e-2
) -> Imported:
    """Extracts the masks, the head and all other differences from the base from a state dict.

    All names and shapes are checked before an array is read.

    Args:
        state: From `read_state_dict`: the whole model, or only the masks and the head. Weights of
            16 bits that are equal to the base within their precision count as unchanged.
        base: The pretrained model under the masks.
        kind: The kind of the task; None infers it from the tensors of the head. Classification and
            regression have the same.
        threshold: τ; a score above it keeps its weight, compared in the dtype of the score. The
            reference code has 0.01 for MaskedLinear1; for MaskedLinear2 (signs) and MaskedLinear3
            (logits, which give the likelier bit) pass 0. Masks of `torch.nn.utils.prune` do not
            use it.

    Returns:
        The adaptation.

    Raises:
        InputError: If there are no masks or there is no head, or if a tensor does not fit or is
            damaged.
    """
    if not math.isfinite(threshold):
        raise InputError(f"threshold: expected a finite number, got {threshold}.")
    recognized = _recognize(state, base)
    alternative = recognized.alternative if recognized and kind is None else None
    kind = kind or (recognized.kind if recognized else "classification")
    if recognized and not recognized.may_be(kind):
        raise InputError(_other_head(recognized, kind))
    model = _model(base.config, _num_outputs(state, base, kind, recognized), kind=kind)
    parts = sort_state(state, model)
    check_shapes(parts, model, base.name)
    if not parts.masks:
        raise InputError(_no_masks(parts, base))
    masks = _read_masks(parts, model, threshold)
    head = {path: parts.weights[path].read_weight() for path in head_paths(model)}
    changed = changed_weights(parts.weights, base)
    _check_finite(head | changed, parts)
    delta = Delta.of(weights=head | changed, masks=masks)
    return Imported(delta, model.num_outputs, tuple(changed), parts.unused, kind, alternative)


def _recognize(state: StateDict, base: Base) -> RecognizedHead | None:
    family = base.config.family
    spelled = {name: spell_name(name, family) for name in state}
    weights = {s.name: state[name] for name, s in spelled.items() if s.suffix != "_mask"}
    output = weights.get(torch_name(OUTPUT, family))
    outputs = output.shape[0] if output is not None and len(output.shape) == 2 else 0
    return recognize_head(weights, family, outputs)


def _num_outputs(
    state: StateDict, base: Base, kind: TaskType, recognized: RecognizedHead | None
) -> int:
    """The width of the head, from the shape of its last kernel."""
    family = base.config.family
    leaves = flatten_with_paths(_model(base.config, 1, kind=kind).abstract)
    (output_path,) = (path for path, leaf in leaves.items() if leaf.shape[1:] == (1,))
    output_name = torch_name(output_path, family)
    for name, array in state.items():
        spelled = spell_name(name, family)
        if spelled.name == output_name and spelled.suffix != "_mask" and len(array.shape) == 2:
            if not 1 <= array.shape[0] <= MAX_LABELS:
                raise InputError(f"{list_names([name])} has {array.shape[0]:,} outputs.")
            return array.shape[0]
    if recognized:
        raise InputError(_other_head(recognized, kind))
    base_names = {torch_name(path, family) for path in flatten_with_paths(base.params)}
    extra = [name for name in state if spell_name(name, family).name not in base_names]
    raise InputError(
        f"the state dict has no head for {kind} ({output_name}), without which the task cannot be "
        f"computed; besides the encoder it has {list_names(extra) or 'nothing'}; save that of the "
        "whole model, or give another --task.kind."
    )


def _other_head(recognized: RecognizedHead, kind: TaskType) -> str:
    return (
        f"the state dict has no head for {kind} but one that looks as if it were for"
        f" {recognized.kind}; give --task.kind {recognized.kind}, or another --task.kind."
    )


def _no_masks(parts: StateParts, base: Base) -> str:
    expected = "the state dict has no masks; expected names such as ….weight_mask"
    if removed := count_removed(parts.weights, base):
        return (
            f"{expected}. {removed:,} weights of the base are zeros in it, so the masks were made "
            "permanent: save it before torch.nn.utils.prune.remove."
        )
    return f"{expected}; if they were removed, save it before torch.nn.utils.prune.remove."


def _read_masks(parts: StateParts, model: Model, threshold: float) -> Arrays:
    """Reads scores or masks and converts them to one bit per weight."""
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
        yield f"{name} has values besides 0 and 1, although there is {original}"


def _above(scores: np.ndarray, threshold: float) -> np.ndarray:
    """Compares in the dtype of the scores, as PyTorch does, so that τ is rounded as they are."""
    if scores.dtype.kind in "biu":
        return scores > threshold
    return scores > np.asarray(threshold).astype(scores.dtype)


def _expand(mask: np.ndarray, shape: tuple[int, ...], num_heads: int) -> np.ndarray:
    """Expands a structured mask: one bit per matrix, or one for each attention head's outputs."""
    if mask.shape == (num_heads,) and mask.shape != shape:
        mask = mask.repeat(shape[-1] // num_heads)
    return np.ascontiguousarray(np.broadcast_to(mask, shape))


def _check_finite(weights: Arrays, parts: StateParts) -> None:
    names = [parts.weights[path].name for path, w in weights.items() if not np.isfinite(w).all()]
    if names:
        raise InputError(f"the state dict has weights that are not finite: {list_names(names)}.")
