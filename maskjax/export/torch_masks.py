"""Export for a live PyTorch model: packed masks, the head, and the module that applies them.

`maskjax_torch.py`, which is part of each exported task, describes its use.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from maskjax.adaptation import Mask, Weight
from maskjax.errors import InputError
from maskjax.export.folder import new_folder
from maskjax.export.huggingface import (
    architecture,
    label_names,
    problem_type,
    to_torch,
)
from maskjax.inference import SavedRun
from maskjax.masking import flatten_with_paths
from maskjax.masking.packed import pack_bits
from maskjax.models import fused_paths, head_paths, state_dict_key

FORMAT = 1
SHIPPED = Path(__file__).with_name("maskjax_torch.py")
"""The module that applies exported masks; it imports torch and safetensors only."""
FINGERPRINT = 8
"""The number of weights of each masked matrix that identify the base."""


def export_torch_masks(saved: SavedRun, folder: Path) -> None:
    """Writes a folder from which `maskjax_torch` applies the task to a live model.

    `masks.safetensors` holds `{torch parameter name: packed bits}` in torch's layout,
    `weights.safetensors` the replaced parameters, which are the head. `task.json` describes the
    task, and `maskjax_torch.py` is the module.

    Args:
        saved: From `maskjax.inference.load_run`.
        folder: New or empty.

    Raises:
        InputError: If the task has no masks, or a base that was re-initialized or unshared, or if
            the folder is not empty or cannot be written.

    Example:
        >>> from maskjax.inference import load_run
        >>> export_torch_masks(load_run(trained), folder / "masks")
        >>> (folder / "masks" / "maskjax_torch.py").exists()
        True
    """
    delta = saved.file.delta
    if not delta.masks or delta.without(Mask).without(Weight).operations:
        method = saved.config.adaptation.method
        raise InputError(
            f"--to torch-masks: the method {method} of this run is not a mask; use --to hf."
        )
    if saved.config.model.reinit:
        raise InputError(
            "--to torch-masks: part of the base of this run was re-initialized, so that its masks "
            "fit no published model; use --to hf."
        )
    if saved.config.model.unshare:
        raise InputError(
            "--to torch-masks: this run has masks for each application of a shared block "
            "(model.unshare), and a live model holds the block once; use --to hf."
        )
    family = saved.base.config.family
    masks = to_torch(_whole_masks(saved), family)
    weights = to_torch(_with_fused(delta.weights, saved), family)
    packed = {name: pack_bits(mask) for name, mask in masks.items()}
    info = json.dumps(_info(saved, masks | weights), indent=1, ensure_ascii=False)
    with new_folder(folder) as temporary:
        (temporary / "masks.safetensors").write_bytes(save(packed))
        (temporary / "weights.safetensors").write_bytes(save(weights))
        (temporary / "task.json").write_text(info + "\n", encoding="utf8")
        shutil.copyfile(SHIPPED, temporary / SHIPPED.name)


def _with_fused(leaves: Iterable[str], saved: SavedRun) -> dict[str, np.ndarray]:
    """The leaves of a task, and the others of the matrices that PyTorch stores as one."""
    family, params = saved.base.config.family, flatten_with_paths(saved.params)
    paths = {part for path in leaves for part in fused_paths(path, family)}
    return {path: np.asarray(params[path]) for path in sorted(paths)}


def _whole_masks(saved: SavedRun) -> dict[str, np.ndarray]:
    """The masks; a matrix without one keeps all weights if PyTorch stores it with a masked one."""
    masks = {path: mask.unpack() for path, mask in saved.file.masks.items()}
    return {
        path: masks.get(path, np.ones(leaf.shape, bool))
        for path, leaf in _with_fused(masks, saved).items()
    }


def _info(saved: SavedRun, arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    task, base, meta = saved.task, saved.base, saved.file.meta
    family = base.config.family
    return {
        "format": FORMAT,
        "name": task.name,
        "kind": task.kind,
        "labels": list(task.labels),
        "id2label": list(label_names(task)),
        "problem_type": problem_type(task),
        "architecture": architecture(task, family),
        "base": {"name": meta["base"]["name"], "revision": meta["base"]["revision"]},
        "max_length": saved.config.task.max_length,
        "stride": saved.config.task.stride,
        "head": [state_dict_key(path, family) for path in head_paths(saved.model)],
        "shapes": {name: list(array.shape) for name, array in arrays.items()},
        "fingerprint": _fingerprint(saved),
    }


def _fingerprint(saved: SavedRun) -> dict[str, list[float]]:
    """The first weights, in torch's order, of each masked matrix of the base."""
    file = saved.file
    base, family = flatten_with_paths(saved.base.params), saved.base.config.family
    paths = file.masks.keys() & base.keys() - file.delta.weights.keys()
    whole = sorted({part for path in paths for part in fused_paths(path, family)})
    masked = to_torch({path: base[path] for path in whole}, family)
    return {name: array.ravel()[:FINGERPRINT].tolist() for name, array in masked.items()}
