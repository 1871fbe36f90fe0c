"""Tasks on a live PyTorch model: apply one, switch to another, undo it.

A task that maskjax learned is a mask over a pretrained model and a small head. This file applies
such tasks to a model of transformers in place, without reloading it. The model is of the class that
task.json calls architecture: that of the example, `...ForTokenClassification` for labels of words,
`...ForMultipleChoice` for choices. It needs torch and safetensors, nothing else; copy it to where
your program is, or import it from here.

    import maskjax_torch
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained("bert-base-uncased")  # any head
    cola = maskjax_torch.load_task("exported/cola")
    trec = maskjax_torch.load_task("exported/trec")  # six labels instead of two: no matter

    maskjax_torch.apply(model, cola)
    maskjax_torch.switch(model, trec)
    maskjax_torch.undo(model)  # the very parameters that the model had before

While a task is applied, `torch.nn.utils.prune.custom_from_mask` has changed its masked modules:
`weight_orig` is the Parameter (the same object as before), `weight_mask` a buffer, and `weight`
their product, computed before each forward pass. So the model may meanwhile move to another device
or become half precision. `undo` restores every parameter unchanged, which `prune.remove` does not.
Undo before you save a model or share its parameters.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.utils import prune

FORMAT = 1
RECORD = "_maskjax_record"
"""The attribute of a model that holds the state for `undo`."""


@dataclass(frozen=True)
class Task:
    """A task on the CPU, at one bit per masked weight.

    Attributes:
        masks: `{parameter name: packed bits}`, uint8, the first weight in the lowest bit.
        weights: `{parameter name: values}` of the replaced parameters, which are the head.
        info: The content of task.json: name, kind, labels, base, architecture, max_length,
            stride (tokens that windows of a longer text share, or None), ...
    """

    masks: dict[str, torch.Tensor]
    weights: dict[str, torch.Tensor]
    info: dict[str, Any]


@dataclass
class _Record:
    """The task that is applied to a model, and the state before it."""

    task: Task
    orders: dict[str, list[str]] = field(default_factory=dict)  # of the parameters of a module
    masked: list[str] = field(default_factory=list)
    replaced: dict[str, nn.Parameter] = field(default_factory=dict)
    labels: list[tuple[Any, str, Any]] = field(default_factory=list)  # object, attribute, value


def load_task(folder: str | Path) -> Task:
    """Reads an exported task.

    Args:
        folder: Holds task.json, masks.safetensors and weights.safetensors.

    Returns:
        The task.

    Raises:
        ValueError: If it was written by a later maskjax.
    """
    folder = Path(folder)
    info = json.loads((folder / "task.json").read_text(encoding="utf8"))
    if info["format"] != FORMAT:
        raise ValueError(f"{folder}: format {info['format']}, and this file reads {FORMAT}.")
    masks, weights = (load_file(folder / f"{name}.safetensors") for name in ("masks", "weights"))
    return Task(masks, weights, info)


def apply(model: nn.Module, task: Task) -> None:
    """Applies a task to a model: masks its weights, and replaces its head and its label names."""
    if applied := current(model):
        raise ValueError(f"task {applied.info['name']} is applied already; use switch, or undo.")
    if problems := list(_misfits(model, task)):
        remainder = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise ValueError(f"task {task.info['name']}: {'; '.join(problems[:3])}{remainder}.")
    record = _Record(task)
    setattr(model, RECORD, record)
    try:
        with torch.no_grad():
            _replace_weights(model, record)
            _mask_weights(model, record)
        _rename_labels(model, record)
    except BaseException:  # out of memory, for instance
        undo(model)
        raise


def undo(model: nn.Module) -> Task | None:
    """Removes the task: every parameter is the same object as before, unchanged."""
    record: _Record | None = getattr(model, RECORD, None)
    if record is None:
        return None
    for name in record.masked:
        _unmask(*_locate(model, name))
    for name, original in record.replaced.items():
        module, leaf = _locate(model, name)
        current = getattr(module, leaf)
        moved = nn.ParameterList([original]).to(current.device, current.dtype)
        _set_parameter(module, leaf, moved[0])
    for name, order in record.orders.items():
        module = model.get_submodule(name)
        for leaf in order:  # optimizers count parameters, so their order matters
            module.register_parameter(leaf, module._parameters.pop(leaf))
    for owner, name, value in record.labels:
        setattr(owner, name, value)
    delattr(model, RECORD)
    return record.task


def switch(model: nn.Module, task: Task) -> None:
    """Applies a task in place of the current one, if any."""
    previous = undo(model)
    try:
        apply(model, task)
    except BaseException:
        if previous is not None:
            apply(model, previous)
        raise


def current(model: nn.Module) -> Task | None:
    """The task that is applied to a model, if any."""
    record: _Record | None = getattr(model, RECORD, None)
    return record and record.task


def unpack(packed: torch.Tensor, shape: list[int]) -> torch.Tensor:
    """Unpacks a mask."""
    bit_values = torch.tensor(
        [1 << bit for bit in range(8)], dtype=torch.uint8, device=packed.device
    )
    bits = (packed[:, None] & bit_values[None, :]) != 0
    return bits.flatten()[: torch.Size(shape).numel()].reshape(shape)


def _misfits(model: nn.Module, task: Task) -> Iterator[str]:
    """Yields the reasons why a task does not fit a model."""
    info = task.info
    # Heads of several classes have parameters of the same names and compute different things.
    if info["architecture"] not in (cls.__name__ for cls in type(model).__mro__):
        yield f"the model is a {type(model).__name__}, expected a {info['architecture']}"
        return
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for name in dict.fromkeys([*task.weights, *task.masks]):
        if name not in parameters:
            yield f"no parameter {name}"
            continue
        actual, expected = list(parameters[name].shape), info["shapes"][name]
        # A head may have another number of outputs, since all of it is replaced.
        num_free = 1 if name in info["head"] else 0
        if actual[num_free:] != expected[num_free:]:
            yield f"{name} has shape {actual}, expected {expected}"
        elif name in info["fingerprint"] and not _is_base(parameters[name], info, name):
            yield f"{name} has other values than in the base {info['base']['name']}"


def _is_base(parameter: torch.Tensor, info: dict[str, Any], name: str) -> bool:
    """Compares a few weights with those of the base, to the precision of the dtype."""
    expected = torch.tensor(info["fingerprint"][name], dtype=torch.float32)
    actual = parameter.detach().flatten()[: len(expected)].cpu().float()
    is_half = parameter.dtype not in (torch.float32, torch.float64)
    return torch.allclose(
        actual, expected, rtol=2**-7 if is_half else 0, atol=1e-6 if is_half else 0
    )


def _replace_weights(model: nn.Module, record: _Record) -> None:
    for name, values in record.task.weights.items():
        module, leaf = _locate(model, name)
        original = module._parameters[leaf]
        if original is None:
            raise ValueError(f"the model has no parameter {name}")
        replacement = values.to(original.device, original.dtype, copy=True)
        record.replaced[name] = original
        _set_parameter(
            module, leaf, nn.Parameter(replacement, requires_grad=original.requires_grad)
        )


def _mask_weights(model: nn.Module, record: _Record) -> None:
    for name, packed in record.task.masks.items():
        module, leaf = _locate(model, name)
        mask = unpack(packed.to(getattr(module, leaf).device), record.task.info["shapes"][name])
        record.orders.setdefault(name.rpartition(".")[0], list(module._parameters))
        prune.custom_from_mask(module, leaf, mask)
        record.masked.append(name)


def _unmask(module: nn.Module, leaf: str) -> None:
    hooks = module._forward_pre_hooks
    for key, hook in list(hooks.items()):
        if isinstance(hook, prune.BasePruningMethod) and hook._tensor_name == leaf:
            del hooks[key]
    original = getattr(module, f"{leaf}_orig")
    for name in (f"{leaf}_orig", f"{leaf}_mask", leaf):
        delattr(module, name)
    module.register_parameter(leaf, original)


def _rename_labels(model: nn.Module, record: _Record) -> None:
    """Sets the labels in the config of transformers, which pipelines and losses read."""
    config, labels = getattr(model, "config", None), record.task.info["id2label"]
    if config is None:
        return
    settings = [
        (config, "id2label", dict(enumerate(labels))),
        (config, "label2id", {label: index for index, label in enumerate(labels)}),
        (config, "problem_type", record.task.info["problem_type"]),
    ]
    if getattr(model, "num_labels", None) is not None:
        settings.append((model, "num_labels", len(labels)))
    record.labels = [(owner, name, getattr(owner, name, None)) for owner, name, _ in settings]
    for owner, name, value in settings:
        setattr(owner, name, value)


def _locate(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    module, _, leaf = name.rpartition(".")
    return model.get_submodule(module), leaf


def _set_parameter(module: nn.Module, leaf: str, parameter: nn.Parameter) -> None:
    setattr(module, leaf, parameter)
    if isinstance(module, nn.Linear):
        module.out_features = parameter.shape[0]
