"""The tensors of a state dict by the paths of a model: all are checked before one is read."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.export.parameter_names import MASK, ORIGINAL, list_names, spell_name
from maskjax.export.stored_array import ArraySource
from maskjax.masking import flatten_with_paths
from maskjax.models import Model, head_paths, is_ignored, swap_layout, torch_name
from maskjax.models.hf_names import is_kernel

StateDict = Mapping[str, ArraySource]
HELPERS = r".*\.structured_mask_expanding"
"""Constants of the reference code that its state dicts hold, too."""


class Entry(NamedTuple):
    """A tensor that the model has a place for.

    Attributes:
        path: The place.
        suffix: `_mask`, `_orig`, or "".
        name: Its name in the state dict.
        array: The tensor, in PyTorch's layout.
    """

    path: str
    suffix: str
    name: str
    array: ArraySource

    def read(self) -> np.ndarray:
        """Reads it, in the layout of params and in its own dtype.

        Raises:
            InputError: If this part of the file is damaged.
        """
        try:
            # Contiguous, since safetensors writes the memory of an array whatever its strides.
            return np.ascontiguousarray(swap_layout(self.path, np.asarray(self.array)))
        except InputError as error:
            raise InputError(f"the file of {list_names([self.name])} {error}.") from error

    def read_weight(self) -> np.ndarray:
        """Reads it as float32."""
        with np.errstate(over="ignore"):  # what is infinite then is refused by name
            return self.read().astype(np.float32)


class StateParts(NamedTuple):
    """The tensors of a state dict.

    Attributes:
        weights: By path.
        masks: By path; masks or scores, one for each weight, attention head or matrix.
        twins: Pairs of tensors with the same path; a model that has a parameter twice saves it
            twice.
        unused: Names of masks that the model has no use for.
    """

    weights: dict[str, Entry]
    masks: dict[str, Entry]
    twins: tuple[tuple[Entry, Entry], ...]
    unused: tuple[str, ...]

    def is_pruned(self, path: str) -> bool:
        """Whether the mask of a path is one of torch.nn.utils.prune."""
        return path in self.weights and self.weights[path].suffix == ORIGINAL


def sort_state(state: StateDict, model: Model) -> StateParts:
    """Finds the path of each tensor; all must be known."""
    family = model.config.family
    paths = {torch_name(path, family): path for path in flatten_with_paths(model.abstract)}
    found: defaultdict[tuple[str, bool], list[Entry]] = defaultdict(list)
    unused, unknown = [], []
    for full, array in state.items():
        name, suffix = spell_name(full, family)
        if name in paths:
            path = paths[name]
            found[path, suffix == MASK].append(Entry(path, suffix, full, array))
        elif not is_ignored(name, family) and not re.fullmatch(HELPERS, name):
            unknown.append(full)
        elif suffix == MASK:
            unused.append(full)
    if unknown:
        raise InputError(
            f"the state dict is of no {family} with a head for {model.kind}: {list_names(unknown)} "
            "unexpected; give the --task.kind of the head."
        )
    weights = {path: entries[0] for (path, is_mask), entries in found.items() if not is_mask}
    masks = {path: entries[0] for (path, is_mask), entries in found.items() if is_mask}
    twins = tuple((first, other) for first, *others in found.values() for other in others)
    return StateParts(weights, masks, twins, tuple(unused))


def check_shapes(parts: StateParts, model: Model, base: str) -> None:
    """Refuses what does not fit, before any of it is read."""
    problems = list(_misfits(parts, model)) or list(_unequal(parts))
    if problems:
        raise InputError(
            f"the state dict does not fit the base {base}: {list_names(problems, '; ')}."
        )


def _misfits(parts: StateParts, model: Model) -> Iterator[str]:
    shapes = {path: leaf.shape for path, leaf in flatten_with_paths(model.abstract).items()}
    for path in head_paths(model):
        if path not in parts.weights:
            yield f"{torch_name(path, model.config.family)} of the head is missing"
    for path, entry in parts.weights.items():
        if _shape(entry) != shapes[path]:
            yield _unexpected(entry, shapes[path])
        # By name, since the dtypes of ml_dtypes are of another kind to NumPy than its own.
        elif not entry.array.dtype.name.startswith(("float", "bfloat")):
            yield f"{entry.name} has dtype {entry.array.dtype}, expected a floating one"
    for path, entry in parts.masks.items():
        if _shape(entry) not in _mask_shapes(path, shapes[path], model.config.num_heads):
            yield _unexpected(entry, shapes[path])


def _shape(entry: Entry) -> tuple[int, ...]:
    """Its shape in the layout of params."""
    return _swap(entry.path, entry.array.shape)


def _swap(path: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[::-1] if is_kernel(path) else shape


def _unexpected(entry: Entry, expected: tuple[int, ...]) -> str:
    shape = _swap(entry.path, expected)
    return f"{entry.name} has shape {entry.array.shape}, expected {shape}"


def _mask_shapes(path: str, shape: tuple[int, ...], num_heads: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of scores: one per weight, per matrix, or per attention head."""
    return (shape, (1,), (num_heads,)) if "/attention/self/" in path else (shape, (1,))


def _unequal(parts: StateParts) -> Iterator[str]:
    for one, two in parts.twins:
        same = (one.suffix, one.array.shape) == (two.suffix, two.array.shape)
        if not same or not np.array_equal(one.read(), two.read()):
            yield f"{one.name} and {two.name} are the same parameter and differ"
