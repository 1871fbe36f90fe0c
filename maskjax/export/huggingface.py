"""A complete Hugging Face folder: the adapted weights as an ordinary PyTorch model.

Written without PyTorch: safetensors from NumPy, config and tokenizer from transformers.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from maskjax.errors import InputError
from maskjax.export.card import model_card
from maskjax.export.folder import new_folder
from maskjax.inference import SavedRun
from maskjax.masking import flatten_with_paths
from maskjax.models import (
    ARCHITECTURES,
    EncoderConfig,
    TaskType,
    fused_paths,
    state_dict_key,
    swap_layout,
)
from maskjax.tasks import Task
from maskjax.tasks.tokenizer_convert import import_transformers, load_with_transformers

HEADS: dict[TaskType, str] = {
    "classification": "ForSequenceClassification",
    "regression": "ForSequenceClassification",
    "tokens": "ForTokenClassification",
    "choice": "ForMultipleChoice",
}
"""The suffix of the class in transformers for each type of task."""

PROBLEM_TYPES: dict[TaskType, str] = {
    "classification": "single_label_classification",
    "regression": "regression",
}
"""The `problem_type` in transformers of the types of tasks that share a class."""

REGRESSION_LABEL = "score"
"""The name of the number of a regression in a pipeline."""

# Notes of transformers on how this process loaded the tokenizer.
LOADING_NOTES = ("is_local", "local_files_only", "name_or_path")


def export_hf(saved: SavedRun, folder: Path) -> None:
    """Writes a folder that `AutoModel….from_pretrained` and `pipeline()` load.

    It holds the merged weights in float32, the config with the label names, the tokenizer and a
    model card. Every adaptation can be exported.

    Args:
        saved: From `maskjax.inference.load_run`.
        folder: New or empty.

    Raises:
        InputError: If the folder is not empty or cannot be written, or if transformers has no
            model for such a task.

    Example:
        >>> from maskjax.inference import load_run
        >>> export_hf(load_run(trained), folder / "exported")
        >>> (folder / "exported" / "model.safetensors").exists()
        True
    """
    config = hf_config(saved)
    with new_folder(folder) as temporary:
        config.save_pretrained(temporary)
        _keep_window(saved.base.folder, temporary)
        # The files of save_file are readable only by their owner.
        payload = save(torch_params(saved), metadata={"format": "pt"})
        (temporary / "model.safetensors").write_bytes(payload)
        _save_tokenizer(saved, temporary)
        card = model_card(saved.file.meta)
        (temporary / "README.md").write_text(card, encoding="utf8")


def torch_params(saved: SavedRun) -> dict[str, np.ndarray]:
    """The merged params under PyTorch's names, in PyTorch's layout."""
    return to_torch(flatten_with_paths(saved.params), saved.base.config.family)


def to_torch(leaves: Mapping[str, Any], family: str) -> dict[str, np.ndarray]:
    """Spells leaves, or their masks, as PyTorch does.

    Of matrices that PyTorch stores as one, all or none have to be there.
    """
    tensors = {}
    for path in leaves:
        parts = fused_paths(path, family)
        if path == parts[0]:
            arrays = [swap_layout(part, np.asarray(leaves[part])) for part in parts]
            whole = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]  # which would copy
            tensors[state_dict_key(path, family)] = np.ascontiguousarray(whole)
    return tensors


def architecture(task: Task, family: str) -> str:
    """The class of transformers that computes a task.

    Example:
        >>> architecture(Task(name="sst2", labels=("no", "yes")), "roberta")
        'RobertaForSequenceClassification'
    """
    if task.kind not in HEADS:
        raise InputError(f"task {task.name}: cannot export {task.kind}; only {', '.join(HEADS)}.")
    if task.kind in ARCHITECTURES[family].without_class:
        raise InputError(
            f"task {task.name}: transformers has no {ARCHITECTURES[family].torch_name}"
            f"{HEADS[task.kind]}, so that a head for {task.kind} cannot be exported."
        )
    return ARCHITECTURES[family].torch_name + HEADS[task.kind]


def label_names(task: Task) -> tuple[str, ...]:
    """The name of each logit of a row or a word."""
    return task.labels or (REGRESSION_LABEL,)


def problem_type(task: Task) -> str | None:
    """The `problem_type` of a task in transformers."""
    return PROBLEM_TYPES.get(task.kind)


def hf_config(saved: SavedRun) -> Any:
    """The configuration of the exported model."""
    task, base = saved.task, saved.base
    names = label_names(task)
    config = import_transformers().AutoConfig.from_pretrained(
        base.folder,
        local_files_only=True,
        architectures=[architecture(task, base.config.family)],
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        problem_type=problem_type(task),
        **_unshared_keys(base.config),
    )
    config.dtype = "float32"
    return config


def _keep_window(base: Path, folder: Path) -> None:
    """Restores the window of Gemma 3, which transformers 5.15 halves whenever it saves it."""
    window = json.loads((base / "config.json").read_text(encoding="utf8")).get("sliding_window")
    path = folder / "config.json"
    values = json.loads(path.read_text(encoding="utf8"))
    if window is not None and values.get("sliding_window") != window:
        path.write_text(json.dumps(values | {"sliding_window": window}, indent=2), encoding="utf8")


def _unshared_keys(config: EncoderConfig) -> dict[str, int]:
    """What makes the model hold a block for each application, where these differ."""
    if config.sharing != "unshared":
        return {}
    keys = ARCHITECTURES[config.family].unshared
    return {key: getattr(config, name) for key, name in keys.items()}


def _save_tokenizer(saved: SavedRun, folder: Path) -> None:
    """Saves the base's tokenizer with the maximum length of the task."""
    load_with_transformers(saved.base.folder).save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    values = json.loads(path.read_text(encoding="utf8"))
    for note in LOADING_NOTES:
        values.pop(note, None)
    values["model_max_length"] = saved.config.task.max_length
    # The base's tokenizer may give token types, which the models of other families do not take.
    if not saved.base.config.uses_token_types:
        values["model_input_names"] = ["input_ids", "attention_mask"]
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf8")
