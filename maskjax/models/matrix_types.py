"""The matrix types and blocks of a transformer encoder, and rules that select them.

Paths are the canonical ones, which all families share, such as
`encoder/layer/0/attention/self/query/kernel`, `pooler/dense/kernel` and `classifier/kernel`.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from maskjax.masking import Count, total_count

_BLOCK = r"encoder/layer/(?:{blocks})/"

MATRIX_TYPES: dict[str, str] = {
    "query": _BLOCK + r"attention/self/query",
    "key": _BLOCK + r"attention/self/key",
    "value": _BLOCK + r"attention/self/value",
    "position_query": _BLOCK + r"attention/self/position_query",
    "position_key": _BLOCK + r"attention/self/position_key",
    "attention_output": _BLOCK + r"attention/output/dense",
    "intermediate": _BLOCK + r"intermediate/dense",
    "gate": _BLOCK + r"intermediate/gate",
    "output": _BLOCK + r"output/dense",
    "pooler": r"pooler/dense",
    "head": r"(?:(?:pre_)?classifier(?:/dense|/out_proj)?|sequence_summary/summary)",
}
"""Matrix type → pattern of the module that holds it. `{blocks}` stands for block numbers.

`position_query` and `position_key` project DeBERTa's embeddings of distances where query and key do
not; `gate` is the second product of a gated feed-forward half; `pooler` is the pretrained pooler of
BERT and ModernBERT; `head` are the randomly initialized matrices: the output layer and, for RoBERTa
and DistilBERT, the hidden layer before it.
"""


def encoder_rules(
    types: Iterable[str],
    *,
    blocks: Sequence[int] | None = None,
    biases: bool = False,
) -> tuple[str, ...]:
    """Makes rules for `maskjax.masking` that select matrices of an encoder.

    Args:
        types: Names of `MATRIX_TYPES`.
        blocks: Numbers of the blocks, from 0; None means all of them.
        biases: Whether to select the biases of these matrices too.

    Returns:
        One regular expression per type, which matches whole paths.

    Raises:
        ValueError: If a type is not known, or `blocks` is empty.

    Example:
        >>> encoder_rules(["key"], blocks=[2, 3])
        ('encoder/layer/(?:2|3)/attention/self/key/kernel',)
    """
    types = tuple(types)
    unknown = [name for name in types if name not in MATRIX_TYPES]
    if unknown:
        expected = ", ".join(MATRIX_TYPES)
        raise ValueError(f"Expected matrix types among {expected}, got {unknown} instead.")
    if blocks is not None and not blocks:
        raise ValueError("Expected at least one block, got none; None means all blocks.")
    numbers = r"\d+" if blocks is None else "|".join(str(block) for block in blocks)
    leaf = "(?:kernel|bias)" if biases else "kernel"
    return tuple(f"{MATRIX_TYPES[name].replace('{blocks}', numbers)}/{leaf}" for name in types)


_PATTERNS = {name: re.compile(encoder_rules([name], biases=True)[0]) for name in MATRIX_TYPES}


def matrix_type(path: str) -> str | None:
    """The matrix type that a canonical path belongs to, or None for other leaves.

    Args:
        path: A path such as `encoder/layer/3/output/dense/kernel`.

    Returns:
        A name of `MATRIX_TYPES`, or None.

    Example:
        >>> matrix_type("encoder/layer/3/output/dense/kernel"), matrix_type("LayerNorm/scale")
        ('output', None)
    """
    return next((name for name, pattern in _PATTERNS.items() if pattern.fullmatch(path)), None)


def block_of(path: str) -> int | None:
    """The number of the block that a canonical path is in, or None outside the blocks.

    Args:
        path: A path such as `encoder/layer/3/output/dense/kernel`.

    Returns:
        The number, from 0, or None.

    Example:
        >>> block_of("encoder/layer/3/output/dense/kernel"), block_of("pooler/dense/kernel")
        (3, None)
    """
    match = re.match(r"encoder/layer/(\d+)/", path)
    return int(match.group(1)) if match else None


def count_by_type(counts: Mapping[str, Count]) -> dict[str, Count]:
    """Sums counts by matrix type; leaves without a type are under `other`.

    Args:
        counts: `{canonical path: count}`.

    Returns:
        `{matrix type: count}`, in the order of first appearance.

    Example:
        >>> count_by_type({"pooler/dense/kernel": Count(1, 2), "x/kernel": Count(0, 2)})
        {'pooler': Count(zeros=1, total=2), 'other': Count(zeros=0, total=2)}
    """
    return _group(counts, lambda path: matrix_type(path) or "other")


def count_by_block(counts: Mapping[str, Count]) -> dict[str, Count]:
    """Sums counts by transformer block; leaves outside the blocks are under `other`.

    Args:
        counts: `{canonical path: count}`.

    Returns:
        `{block number as text: count}`, in the order of first appearance.

    Example:
        >>> count_by_block({"encoder/layer/2/output/dense/kernel": Count(1, 2)})
        {'2': Count(zeros=1, total=2)}
    """
    blocks = {path: block_of(path) for path in counts}
    return _group(counts, lambda path: "other" if blocks[path] is None else str(blocks[path]))


def _group(counts: Mapping[str, Count], group_of: Callable[[str], str]) -> dict[str, Count]:
    groups: dict[str, dict[str, Count]] = {}
    for path, count in counts.items():
        groups.setdefault(group_of(path), {})[path] = count
    return {name: total_count(members) for name, members in groups.items()}
