"""`maskjax import`: a run folder of masks that PyTorch code learned."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from maskjax.cli.show import show
from maskjax.config import AdaptationConfig, Config, ModelConfig, TaskConfig
from maskjax.errors import InputError
from maskjax.export import (
    Imported,
    import_state,
    kind_of_head,
    list_names,
    read_state_dict,
    save_imported,
)
from maskjax.masking import count_zeros, total_count
from maskjax.models import load_base
from maskjax.tasks import load_base_tokenizer
from maskjax.training.resolve import resolve_config


@dataclass(frozen=True, kw_only=True)
class ImportArguments:
    """Makes a run folder of masks that PyTorch code learned.

    The file is the state dict of a whole model: of the paper's reference code, with scores in
    ….weight_mask, or of a model that torch.nn.utils.prune has masked, with ….weight_orig. It may
    lie in a dict of other things; wrappers such as torch.compile, DataParallel and Lightning are
    seen through. Nothing in the file is executed, and PyTorch is not needed.

    Attributes:
        file: A .safetensors file, or what torch.save wrote (.pt, .bin).
        out: The run folder to make; nothing may be in it.
        model: The base under the masks.
        task: Name, kind, label names and texts of the task. Without a kind, the tensors of the
            head tell it where they can.
        threshold: A score above it keeps its weight: 0.01 for the reference code's MaskedLinear1;
            give 0 for MaskedLinear2 and MaskedLinear3. Masks of prune do not use it.
        keep_weights: Also store weights outside the head that differ from those of the base.
    """

    file: Annotated[Path, tyro.conf.Positional]
    out: Path
    model: ModelConfig = field(default_factory=ModelConfig)
    task: TaskConfig = field(default_factory=lambda: TaskConfig(name="imported"))
    threshold: float = 1e-2
    keep_weights: bool = False


def command(arguments: Sequence[str]) -> int:
    """Runs `maskjax import`."""
    given = tyro.cli(ImportArguments, args=arguments, prog="maskjax import")
    adaptation = AdaptationConfig(threshold=given.threshold)
    stored = resolve_config(Config(model=given.model, task=given.task))
    given = replace(given, model=stored.model, task=stored.task)
    state = read_state_dict(given.file)
    base = load_base(given.model.base, revision=given.model.revision, offline=given.model.offline)
    load_base_tokenizer(base)  # else predictions would show that it does not fit
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
    config = Config(model=given.model, task=given.task, adaptation=adaptation)
    size = save_imported(imported, base, config, given.out)
    for line in _summary(imported, size, given.out):
        show(line)
    return 0


def _summary(imported: Imported, size: int, out: Path) -> list[str]:
    count = total_count(count_zeros(imported.delta.masks))
    lines = [
        f"masks   {len(imported.delta.masks)} arrays, {count.total:,} weights, "
        f"{count.zeros / count.total:.2%} dropped",
        f"saved   {size:,} bytes in {out}",
    ]
    if imported.changed:
        lines.insert(1, f"weights {len(imported.changed)} arrays differ from the base and are kept")
    if imported.unused:
        lines.insert(1, f"left    {list_names(imported.unused)}: the model does not use them")
    if imported.alternative:
        lines.insert(
            0,
            f"head    taken for {imported.kind}, {imported.num_outputs} outputs; its tensors could "
            f"also be for {imported.alternative}: then give --task.kind {imported.alternative}",
        )
    return lines
