"""Masks that nothing learned, and a head trained over them: what a learned mask is worth."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import jax
from rich.console import Console

from maskjax.config import AdaptationConfig, Config
from maskjax.training import prepare, run
from maskjax.training.results import save_trainable
from maskjax.training.run_dir import RESULT_FILE
from maskjax.training.step import run_keys

Control = Literal["magnitude", "random"]
CONTROLS: tuple[Control, ...] = ("magnitude", "random")


def control_config(config: Config, control: Control, sparsity: float) -> Config:
    """The run whose start is a control's masks."""
    adaptation = replace(
        config.adaptation,
        method="mask",
        initializer=control,
        sparsity=sparsity,
        binarizer="threshold",
        head="trained",
        protect=0.0,
        target_sparsity=None,
    )
    return replace(config, adaptation=adaptation)


def draw_masks(config: Config, path: Path) -> None:
    """Saves a run as it is before its first step."""
    experiment = prepare(config)
    start, _ = run_keys(jax.random.key(config.train.seed))
    trainable = jax.jit(experiment.adaptation.init)(start, experiment.params)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_trainable(experiment, trainable, {}, path)


def train_control(config: Config, folder: Path, console: Console) -> None:
    """Trains a head over masks that stay as they are drawn; a finished one is left alone."""
    if (folder / RESULT_FILE).exists():
        return
    path = masks_path(folder)
    if not path.exists():
        draw_masks(config, path)
    run(head_config(config, folder), folder, console=console)


def masks_path(folder: Path) -> Path:
    """Where the masks of a control are."""
    return folder.resolve().with_name(f"{folder.name}-masks.safetensors")


def head_config(config: Config, folder: Path) -> Config:
    """The run that trains the head of a control."""
    adaptation = AdaptationConfig(method="head", masks=str(masks_path(folder)))
    return replace(config, adaptation=adaptation)
