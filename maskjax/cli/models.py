"""`maskjax models`: the families of encoders, and what each supports."""

from typing import TYPE_CHECKING

from maskjax.cli.show import print_table, show

if TYPE_CHECKING:
    from maskjax.models import Architecture
    from maskjax.models.tried import Tried

NOTE = (
    "--model.base takes a folder or a Hub id of any of these. hidden, logits: the largest "
    "difference from transformers in PyTorch, float32, at the shape of the published base model. "
    "Hub: models that were tried as published, by `make live`; docs/encoders.md has more."
)


def models() -> None:
    """Lists the families of encoders that --model.base takes, with what each supports."""
    from maskjax.models import ARCHITECTURES
    from maskjax.models.tried import read_tried

    tried = read_tried()
    columns = ("model_type", "heads", "no export of", "hidden", "logits", "Hub")
    rows = [_row(architecture, tried) for architecture in ARCHITECTURES.values()]
    print_table(columns, rows, names=3)
    show(NOTE)


def _row(architecture: "Architecture", tried: "Tried") -> tuple[str, ...]:
    parity = tried.parity.get(architecture.name, {})
    differences = (f"{parity[key]:.1e}" if key in parity else "" for key in ("hidden", "logits"))
    live = [
        name
        for name, found in tried.live.items()
        if found.get("family") == architecture.name and "sst2" in found
    ]
    return (
        architecture.name,
        ", ".join(architecture.heads),
        ", ".join(architecture.without_class),
        *differences,
        ", ".join(live) or "not yet",
    )
