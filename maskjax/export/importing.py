"""Masks that PyTorch code learned become a task: the paper's reference code, and `prune`.

Both keep `<module>.weight_mask` beside the weights. In the reference code (MaskedLinear1 to 3) it
holds scores and the weight is `<module>.weight`; in `torch.nn.utils.prune` it holds zeros and ones
and the weight is `<module>.weight_orig`. Biases alike.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.export.state_dict import StateDict
from maskjax.masking import leaves_by_path
from maskjax.models import (
    Base,
    EncoderConfig,
    Kind,
    Model,
    build_model,
    head_paths,
    is_ignored,
    normalize_name,
    swap_layout,
    torch_name,
)
from maskjax.models.config import Family
from maskjax.models.key_maps import is_kernel

MASK, ORIGINAL = "_mask", "_orig"
HELPERS = r".*\.structured_mask_expanding"
"""Constants of the reference code that its state dicts hold, too."""
Leaves = dict[str, np.ndarray]


class Imported(NamedTuple):
    """What a state dict adds to a base.

    Attributes:
        frozen: `{sort: {path: array}}`, as `maskjax.adaptation.merge` takes it.
        num_outputs: The width of its head; 1 for a choice.
        changed: Paths of weights outside the head that differ from those of the base.
        unused: Names of masks that the model has no use for, such as a pooler under tags.
    """

    frozen: dict[str, Leaves]
    num_outputs: int
    changed: tuple[str, ...]
    unused: tuple[str, ...]


class _Parts(NamedTuple):
    """A state dict by canonical paths, in the layout of params."""

    weights: Leaves
    masks: Leaves  # or scores, one per weight, attention head or matrix
    pruned: frozenset[str]  # paths whose masks are of torch.nn.utils.prune
    unused: tuple[str, ...]


def import_state(
    state: StateDict, base: Base, *, kind: Kind = "classification", threshold: float = 1e-2
) -> Imported:
    """Takes the masks, the head and whatever else differs from the base out of a state dict.

    Args:
        state: From `read_state_dict`: the whole model, or only the masks and the head.
        base: The pretrained model under the masks.
        kind: What the head is for, which its tensors do not tell. Classification and regression
            have the same.
        threshold: τ; a score above it keeps its weight. The reference code has 0.01 for
            MaskedLinear1; for MaskedLinear2 (signs) and MaskedLinear3 (logits, of which the
            likelier bit is taken) give 0. Masks of `torch.nn.utils.prune` do not use it.

    Returns:
        The adaptation.

    Raises:
        InputError: If there are no masks or there is no head, or if a tensor does not fit.
    """
    model = build_model(base.config, _num_outputs(state, base.config, kind), kind=kind)
    parts = _sort(state, model)
    shapes = {path: leaf.shape for path, leaf in leaves_by_path(model.abstract).items()}
    problems = list(_problems(parts, shapes, model))
    if problems:
        raise InputError(f"the state dict does not fit the base {base.name}: {_some(problems)}.")
    heads = base.config.num_heads
    masks = {
        path: _expand(_binarize(scores, threshold, path in parts.pruned), shapes[path], heads)
        for path, scores in parts.masks.items()
    }
    head = {path: parts.weights[path] for path in head_paths(model)}
    changed = _changed(parts.weights, base)
    return Imported(
        {"mask": masks, "weight": head | changed}, model.num_outputs, tuple(changed), parts.unused
    )


def _spell(name: str, family: Family) -> tuple[str, str]:
    """A tensor's name as `torch_name` has it, and its suffix: "", "_mask" or "_orig"."""
    plain = name.removeprefix("module.")  # of DataParallel
    suffix = next((end for end in (MASK, ORIGINAL) if plain.endswith(end)), "")
    return normalize_name(plain.removesuffix(suffix), family), suffix


def _num_outputs(state: StateDict, config: EncoderConfig, kind: Kind) -> int:
    """The width of the head, which the shape of its last kernel tells."""
    leaves = leaves_by_path(build_model(config, 1, kind=kind).abstract)
    (last,) = (path for path, leaf in leaves.items() if leaf.shape[1:] == (1,))
    wanted = torch_name(last, config.family)
    for name, array in state.items():
        if _spell(name, config.family) in ((wanted, ""), (wanted, ORIGINAL)) and array.ndim == 2:
            return array.shape[0]
    raise InputError(
        f"the state dict has no head for {kind} ({wanted}), without which the task cannot be "
        "computed; save that of the whole model, or give another --task.kind."
    )


def _sort(state: StateDict, model: Model) -> _Parts:
    """Finds the path of each tensor; all must be known."""
    family = model.config.family
    paths = {torch_name(path, family): path for path in leaves_by_path(model.abstract)}
    weights: Leaves = {}
    masks: Leaves = {}
    pruned, unused, unknown = set(), [], []
    for full, array in state.items():
        name, suffix = _spell(full, family)
        if name in paths:
            path = paths[name]
            # Contiguous, since safetensors writes the memory of an array whatever its strides.
            leaf = np.ascontiguousarray(swap_layout(path, array))
            (masks if suffix == MASK else weights)[path] = leaf
            if suffix == ORIGINAL:
                pruned.add(path)
        elif not is_ignored(name, family) and not re.fullmatch(HELPERS, name):
            unknown.append(full)
        elif suffix == MASK:
            unused.append(full)
    if unknown:
        raise InputError(
            f"the state dict is of no {family} with a head for {model.kind}: {_some(unknown)} "
            "unexpected; give the --task.kind of the head."
        )
    if not masks:
        raise InputError("the state dict has no masks; expected names such as ….weight_mask.")
    return _Parts(weights, masks, frozenset(pruned), tuple(unused))


def _problems(parts: _Parts, shapes: Mapping[str, tuple[int, ...]], model: Model) -> Iterator[str]:
    name = partial(torch_name, family=model.config.family)
    for path in head_paths(model):
        if path not in parts.weights:
            yield f"{name(path)} of the head is missing"
    for path, weight in parts.weights.items():
        if weight.shape != shapes[path]:
            came, expected = (_in_torch(path, shape) for shape in (weight.shape, shapes[path]))
            yield f"{name(path)} has shape {came}, expected {expected}"
    for path, scores in parts.masks.items():
        if scores.shape not in _mask_shapes(path, shapes[path], model.config.num_heads):
            came, expected = (_in_torch(path, shape) for shape in (scores.shape, shapes[path]))
            yield f"{name(path)}_mask has shape {came}, expected {expected}"
        elif not np.isfinite(scores).all():
            yield f"{name(path)}_mask has values that are not finite"
        elif path in parts.pruned and not np.isin(scores, (0, 1)).all():
            yield f"{name(path)}_mask has values besides 0 and 1, and {name(path)}_orig is there"


def _mask_shapes(path: str, shape: tuple[int, ...], num_heads: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of scores: one per weight, per matrix, or per attention head."""
    return (shape, (1,), (num_heads,)) if "/attention/self/" in path else (shape, (1,))


def _in_torch(path: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[::-1] if is_kernel(path) else shape


def _binarize(scores: np.ndarray, threshold: float, is_mask: bool) -> np.ndarray:
    return scores != 0 if is_mask else scores > np.float32(threshold)


def _expand(mask: np.ndarray, shape: tuple[int, ...], num_heads: int) -> np.ndarray:
    """Writes out a structured mask: one bit a matrix, or one for each attention head's outputs."""
    if mask.shape == (num_heads,) and mask.shape != shape:
        mask = mask.repeat(shape[-1] // num_heads)
    return np.ascontiguousarray(np.broadcast_to(mask, shape))


def _changed(weights: Leaves, base: Base) -> Leaves:
    ours = leaves_by_path(base.params)
    both = weights.keys() & ours.keys()
    return {p: weights[p] for p in sorted(both) if not np.array_equal(weights[p], ours[p])}


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{'; '.join(names[:4])}{more}"
