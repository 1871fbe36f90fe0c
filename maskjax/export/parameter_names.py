"""Names in a state dict of PyTorch: wrappers, suffixes of masks, and lists for messages."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from maskjax.errors import printable
from maskjax.models import normalize_name

MASK, ORIGINAL = "_mask", "_orig"
WRAPPERS = frozenset((
    "_orig_mod",  # torch.compile
    "module",  # DataParallel, DistributedDataParallel
    "model",  # the attribute of a LightningModule, among others; ModernBERT's prefix
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
))  # fmt: skip
"""Parts of a name that wrappers add; no module within an encoder has these names."""
LISTED = 4


class Spelled(NamedTuple):
    """A parsed name."""

    # The name as `torch_name` gives it, without wrappers, prefix of the family and suffix.
    name: str
    suffix: str  # "", `_mask` or `_orig`


def spell_name(name: str, family: str) -> Spelled:
    """Takes a name of a state dict apart.

    Example:
        >>> spell_name("module._orig_mod.model.bert.pooler.dense.weight_mask", "bert")
        Spelled(name='pooler.dense.weight', suffix='_mask')
    """
    unwrapped = ".".join(part for part in name.split(".") if part not in WRAPPERS)
    suffix = next((mark for mark in (MASK, ORIGINAL) if unwrapped.endswith(mark)), "")
    return Spelled(normalize_name(unwrapped.removesuffix(suffix), family), suffix)


def list_names(names: Iterable[str], separator: str = ", ") -> str:
    """Joins the first few names or problems of a message, in one line without control characters.

    Args:
        names: The names or problems.
        separator: The text between two of them.

    Returns:
        The first `LISTED`, and the number of the others.
    """
    names = list(names)
    remainder = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return separator.join(map(printable, islice(names, LISTED))) + remainder
