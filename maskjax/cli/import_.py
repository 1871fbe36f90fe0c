"""`maskjax import`: a run folder of masks that PyTorch code learned."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from maskjax.cli.show import show
from maskjax.config import AdaptationConfig, Config, ModelConfig, TaskConfig
from maskjax.errors import InputError

if TYPE_CHECKING:
    from maskjax.export import Imported


def import_(
    file: Annotated[Path, tyro.conf.Positional],
    *,
    out: Path,
    model: ModelConfig = ModelConfig(),
    task: TaskConfig = TaskConfig(name="imported"),
    threshold: float = 1e-2,
    keep_weights: bool = False,
) -> None:
    """Makes a run folder of masks that PyTorch code learned.

    The file is the state dict of a whole model: of the paper's reference code, with scores in
    ….weight_mask, or of a model that torch.nn.utils.prune has masked, with ….weight_orig. It may
    lie in a dict of other things; wrappers such as torch.compile, DataParallel and Lightning are
    seen through. Nothing in the file is executed, and PyTorch is not needed.

    Args:
        file: A .safetensors file, or what torch.save wrote (.pt, .bin).
        out: The run folder to make; nothing may be in it.
        model: The base under the masks.
        task: Name, kind, label names and texts of the task. Without a kind, the tensors of the
            head tell it where they can.
        threshold: A score above it keeps its weight: 0.01 for the reference code's MaskedLinear1;
            give 0 for MaskedLinear2 and MaskedLinear3. Masks of prune do not use it.
        keep_weights: Also store weights outside the head that differ from those of the base.
    """
    from maskjax.export import import_state, kind_of_head, read_state_dict, save_imported
    from maskjax.models import load_base, unshare
    from maskjax.tasks import load_base_tokenizer
    from maskjax.training.validate import check_length, resolve_config

    adaptation = AdaptationConfig(threshold=threshold)
    stored = resolve_config(Config(model=model, task=task))
    model, task = stored.model, stored.task
    state = read_state_dict(file)
    base = load_base(model.base, revision=model.revision, offline=model.offline)
    base = unshare(base) if model.unshare else base
    check_length(stored, base)
    load_base_tokenizer(base)  # else predictions would show that it does not fit
    try:
        imported = import_state(state, base, kind=kind_of_head(task), threshold=threshold)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    if imported.changed and not keep_weights:
        raise InputError(
            f"{file}: {len(imported.changed)} weights outside the head differ from those of "
            f"{base.name}, {imported.changed[0]} first; give --model.base the model that it was "
            "trained from, or add --keep-weights to store them too."
        )
    config = Config(model=model, task=task, adaptation=adaptation)
    size = save_imported(imported, base, config, out)
    for line in _summary(imported, size, out):
        show(line)


def _summary(imported: "Imported", size: int, out: Path) -> list[str]:
    from maskjax.export import list_names
    from maskjax.masking import count_zeros, total_count

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
