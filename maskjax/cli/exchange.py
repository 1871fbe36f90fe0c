"""`maskjax export`, `import` and `push`: tasks to PyTorch and from there, and to the Hub."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from maskjax.cli.saved import SavedRun
from maskjax.config import AdaptationConfig, Config, ModelConfig, TaskConfig
from maskjax.errors import InputError
from maskjax.export import (
    Imported,
    export_hf,
    export_onnx,
    export_torch_masks,
    import_state,
    kind_of_head,
    read_state_dict,
    save_imported,
)
from maskjax.masking import count_zeros, total_count
from maskjax.models import load_base
from maskjax.taskfile import push_task

EXPORTS = {"hf": export_hf, "torch-masks": export_torch_masks, "onnx": export_onnx}


@dataclass(frozen=True, kw_only=True)
class ExportArguments(SavedRun):
    """Exports a finished run for PyTorch or ONNX.

    hf: a folder that transformers' from_pretrained and pipeline() load, weights and all.
    torch-masks: the packed mask and the head, with the module maskjax_torch.py that puts them on
    a live PyTorch model, switches to other tasks and takes them off again.
    onnx: model.onnx with the tokenizer; needs pip install "maskjax[onnx]".

    Attributes:
        to: The form.
        out: The folder to make; nothing may be in it.
    """

    to: Literal["hf", "torch-masks", "onnx"]
    out: Path


@dataclass(frozen=True, kw_only=True)
class ImportArguments:
    """Makes a run folder of masks that PyTorch code learned.

    The file is the state dict of a whole model: of the paper's reference code, with scores in
    ….weight_mask, or of a model that torch.nn.utils.prune has masked, with ….weight_orig.

    Attributes:
        file: A .safetensors file, or what torch.save wrote (.pt, .bin).
        out: The run folder to make; nothing may be in it.
        model: The base under the masks.
        task: Name, kind, label names and texts of the task.
        threshold: A score above it keeps its weight: 0.01 for the reference code's MaskedLinear1;
            give 0 for MaskedLinear2 and MaskedLinear3.
        keep_weights: Also store weights outside the head that differ from those of the base.
    """

    file: Annotated[Path, tyro.conf.Positional]
    out: Path
    model: ModelConfig = field(default_factory=ModelConfig)
    task: TaskConfig = field(default_factory=lambda: TaskConfig(name="imported"))
    threshold: float = 1e-2
    keep_weights: bool = False


@dataclass(frozen=True, kw_only=True)
class PushArguments:
    """Publishes the task file of a run, with a model card, on the Hugging Face Hub.

    Every command takes the Hub id in place of a run folder afterwards.

    Attributes:
        run: A run folder or a task file.
        to: The repository, owner/name; it is made if it is missing.
        private: Make a new repository private.
        licence: An identifier of the Hub for the card, such as apache-2.0.
    """

    run: Annotated[Path, tyro.conf.Positional]
    to: str
    private: bool = False
    licence: str | None = None


def export_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax export`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If the run or its base cannot be read, or the folder cannot be made.
    """
    given = tyro.cli(ExportArguments, args=arguments, prog="maskjax export")
    predictor = given.load()
    EXPORTS[given.to](predictor, given.out)
    _tell(f"{given.to}: {predictor.task.name} in {given.out}")
    for file in sorted(given.out.iterdir()):
        _tell(f"  {file.stat().st_size:>13,}  {file.name}")
    return 0


def import_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax import`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If the file or the base cannot be read, or do not fit each other.
    """
    given = tyro.cli(ImportArguments, args=arguments, prog="maskjax import")
    state = read_state_dict(given.file)
    base = load_base(given.model.base, revision=given.model.revision, offline=given.model.offline)
    try:
        kind = kind_of_head(given.task)
        imported = import_state(state, base, kind=kind, threshold=given.threshold)
    except InputError as error:
        raise InputError(f"{given.file}: {error}") from error
    if imported.changed and not given.keep_weights:
        raise InputError(
            f"{given.file}: {len(imported.changed)} weights outside the head differ from those of "
            f"{base.name}, {imported.changed[0]} first; give --model.base the model that it was "
            "trained from, or add --keep-weights to store them too."
        )
    adaptation = AdaptationConfig(threshold=given.threshold)
    config = Config(model=given.model, task=given.task, adaptation=adaptation)
    size = save_imported(imported, base, config, given.out)
    for line in _summary(imported, size, given.out):
        _tell(line)
    return 0


def push_command(arguments: Sequence[str]) -> int:
    """Runs `maskjax push`.

    Args:
        arguments: The words after the command.

    Returns:
        The exit code.

    Raises:
        InputError: If the run cannot be read, or the Hub does not take it.
    """
    given = tyro.cli(PushArguments, args=arguments, prog="maskjax push")
    _tell(push_task(given.run, given.to, private=given.private, licence=given.licence))
    return 0


def _summary(imported: Imported, size: int, out: Path) -> list[str]:
    count = total_count(count_zeros(imported.frozen["mask"]))
    lines = [
        f"masks   {len(imported.frozen['mask'])} arrays, {count.total:,} weights, "
        f"{count.zeros / count.total:.2%} dropped",
        f"saved   {size:,} bytes in {out}",
    ]
    if imported.changed:
        lines.insert(1, f"weights {len(imported.changed)} arrays differ from the base and are kept")
    if imported.unused:
        lines.insert(1, f"left    {', '.join(imported.unused)}: the model does not use them")
    return lines


def _tell(line: str) -> None:
    Console().print(line, highlight=False, markup=False, soft_wrap=True)
