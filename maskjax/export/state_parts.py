"""The tensors of a state dict by the paths of a model, checked before any of them is read."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from maskjax.errors import InputError
from maskjax.export.parameter_names import MASK, ORIGINAL, list_names, spell_name
from maskjax.export.stored_array import ArraySource
from maskjax.masking import flatten_with_paths
from maskjax.models import Model, fused_paths, head_paths, is_ignored, swap_layout, torch_name
from maskjax.models.hf_names import is_kernel

StateDict = Mapping[str, ArraySource]
HELPERS = r".*\.structured_mask_expanding"
"""Constants that the state dicts of the reference code also hold."""


class StateTensor(NamedTuple):
    """A tensor of a state dict that belongs to a path of the model."""

    path: str
    suffix: str  # `_mask`, `_orig`, or ""
    name: str  # its name in the state dict
    array: ArraySource  # the tensor, in PyTorch's layout
    part: tuple[int, int] = (0, 1)  # which of how many equal parts of the tensor's rows the path is

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the path's part, in the layout of params; rows that do not split stay."""
        shape, parts = self.array.shape, self.part[1]
        if len(shape) == 2 and shape[0] % parts == 0:
            shape = (shape[0] // parts, shape[1])
        return _swap(self.path, shape)

    def read(self) -> np.ndarray:
        """Reads the tensor in the layout of params and in its own dtype."""
        try:
            array = np.asarray(self.array)
        except InputError as error:
            raise InputError(f"the file of {list_names([self.name])} {error}.") from error
        number, parts = self.part
        array = np.split(array, parts)[number] if array.ndim == 2 else array
        # Contiguous, since safetensors writes the memory of an array and ignores its strides.
        return np.ascontiguousarray(swap_layout(self.path, array))

    def read_weight(self) -> np.ndarray:
        """Reads the tensor as float32."""
        with np.errstate(over="ignore"):  # infinities are an error later
            return self.read().astype(np.float32)


class StateParts(NamedTuple):
    """The tensors of a state dict."""

    weights: dict[str, StateTensor]  # by path
    # By path; masks or scores, one for each weight, attention head or matrix.
    masks: dict[str, StateTensor]
    # Pairs of tensors with the same path; a model that shares a parameter saves it more than
    # once.
    duplicates: tuple[tuple[StateTensor, StateTensor], ...]
    unused: tuple[str, ...]  # names of masks that the model does not use

    def is_pruned(self, path: str) -> bool:
        """Whether the mask of a path is one of torch.nn.utils.prune."""
        return path in self.weights and self.weights[path].suffix == ORIGINAL


def sort_state(state: StateDict, model: Model) -> StateParts:
    """Finds the path of each tensor; unknown tensors are an error."""
    family = model.config.family
    paths = {
        torch_name(path, family): fused_paths(path, family)
        for path in flatten_with_paths(model.abstract)
    }
    groups: defaultdict[tuple[str, bool], list[StateTensor]] = defaultdict(list)
    unused, unknown = [], []
    for key, array in state.items():
        name, suffix = spell_name(key, family)
        if name in paths:
            for number, path in enumerate(paths[name]):
                part = (number, len(paths[name]))
                groups[path, suffix == MASK].append(StateTensor(path, suffix, key, array, part))
        elif not is_ignored(name, family) and not re.fullmatch(HELPERS, name):
            unknown.append(key)
        elif suffix == MASK:
            unused.append(key)
    if unknown:
        raise InputError(
            f"the state dict is of no {family} with a head for {model.kind}: {list_names(unknown)} "
            "unexpected; give the --task.kind of the head."
        )
    weights = {path: entries[0] for (path, is_mask), entries in groups.items() if not is_mask}
    masks = {path: entries[0] for (path, is_mask), entries in groups.items() if is_mask}
    twins = tuple(
        (tensor, duplicate) for tensor, *duplicates in groups.values() for duplicate in duplicates
    )
    return StateParts(weights, masks, twins, tuple(unused))


def check_shapes(parts: StateParts, model: Model, base: str) -> None:
    """Rejects tensors that do not fit, before any is read."""
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
        if entry.shape != shapes[path]:
            yield _unexpected(entry, shapes[path])
        # By name, since NumPy does not count the dtypes of ml_dtypes as floating.
        elif not entry.array.dtype.name.startswith(("float", "bfloat")):
            yield f"{entry.name} has dtype {entry.array.dtype}, expected a floating one"
    for path, entry in parts.masks.items():
        if entry.shape not in _mask_shapes(path, shapes[path], model.config.num_heads):
            yield _unexpected(entry, shapes[path])


def _swap(path: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[::-1] if is_kernel(path) else shape


def _unexpected(entry: StateTensor, expected: tuple[int, ...]) -> str:
    rows, *columns = _swap(entry.path, expected)
    shape = (rows * entry.part[1], *columns)
    return f"{entry.name} has shape {entry.array.shape}, expected {shape}"


def _mask_shapes(path: str, shape: tuple[int, ...], num_heads: int) -> tuple[tuple[int, ...], ...]:
    """The shapes of scores: one per weight, per matrix, or per attention head."""
    return (shape, (1,), (num_heads,)) if "/attention/self/" in path else (shape, (1,))


def _unequal(parts: StateParts) -> Iterator[str]:
    for first, second in parts.duplicates:
        is_alike = (first.suffix, first.array.shape) == (second.suffix, second.array.shape)
        if not is_alike or not np.array_equal(first.read(), second.read()):
            yield f"{first.name} and {second.name} are the same parameter and differ"
