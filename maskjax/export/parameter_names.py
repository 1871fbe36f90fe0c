"""Names in a state dict of PyTorch: wrappers, suffixes of masks, and lists of them in messages."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from maskjax.errors import printable
from maskjax.models import normalize_name

MASK, ORIGINAL = "_mask", "_orig"
WRAPPERS = frozenset((
    "_orig_mod",  # torch.compile
    "module",  # DataParallel, DistributedDataParallel
    "model",  # the attribute of a LightningModule, and of much else
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
))  # fmt: skip
"""Parts of a name that wrappers add, at its front or within it; no encoder has such parts."""
LISTED = 4


class Spelled(NamedTuple):
    """A name taken apart.

    Attributes:
        name: As `torch_name` has it, without wrappers, prefix of the family and suffix.
        suffix: "", `_mask` or `_orig`.
    """

    name: str
    suffix: str


def spell_name(name: str, family: str) -> Spelled:
    """Takes a name of a state dict apart.

    Example:
        >>> spell_name("module._orig_mod.model.bert.pooler.dense.weight_mask", "bert")
        Spelled(name='pooler.dense.weight', suffix='_mask')
    """
    plain = ".".join(part for part in name.split(".") if part not in WRAPPERS)
    suffix = next((end for end in (MASK, ORIGINAL) if plain.endswith(end)), "")
    return Spelled(normalize_name(plain.removesuffix(suffix), family), suffix)


def list_names(names: Iterable[str], separator: str = ", ") -> str:
    """Joins the first few names or problems of a message, in one line without control characters.

    Args:
        names: All of them.
        separator: What stands between two.

    Returns:
        The first `LISTED`, and how many more there are.
    """
    names = list(names)
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return separator.join(map(printable, islice(names, LISTED))) + more
