"""What must hold between settings, base and rows before a run computes anything."""

from maskjax.config import AdaptationConfig, Config
from maskjax.errors import InputError
from maskjax.models import Base
from maskjax.taskfile import check_meta, make_meta
from maskjax.tasks import LoadedTask


def validate(config: Config, base: Base, data: LoadedTask) -> None:
    """Refuses settings that do not fit each other, the base or the rows, by an InputError."""
    _check_length(config, base)
    _check_frozen_dtype(config)
    if config.adaptation.target_sparsity is not None:
        _check_target(config.adaptation)
    # Labels and names that no task file may hold are refused now, not after training.
    check_meta(make_meta(data.task, base, config, {}), "the task file of this run")


def _check_length(config: Config, base: Base) -> None:
    longest, positions = config.task.max_length, base.config.max_positions
    if longest > positions:
        raise InputError(
            f"task.max_length: expected at most {positions:,} tokens, which is what {base.name} "
            f"reads, got {longest:,}; set --task.max-length {positions}, with --task.stride "
            f"{positions // 4} to read longer texts in windows."
        )


def _check_frozen_dtype(config: Config) -> None:
    dtype = config.model.frozen_dtype
    if dtype != "float32" and config.adaptation.method == "finetune":
        raise InputError(
            f"model.frozen_dtype: finetuning freezes nothing that could be held in {dtype}; leave "
            "it out, or use another --adaptation.method."
        )


def _check_target(config: AdaptationConfig) -> None:
    if config.method != "mask":
        raise InputError(
            f"adaptation.target_sparsity: {config.method} has no masks; leave it out, or use "
            "--adaptation.method mask."
        )
    if config.binarizer.endswith("top_k"):
        raise InputError(
            f"adaptation.target_sparsity: {config.binarizer} keeps its sparsity throughout; leave "
            "it out and set --adaptation.sparsity, or use --adaptation.binarizer threshold."
        )
