"""The matrices of a transformer encoder by kind and block, and rules that pick them.

Paths are maskjax's canonical ones, the same for BERT, RoBERTa and DistilBERT:
`encoder/layer/0/attention/self/query/kernel`, `pooler/dense/kernel`, `classifier/kernel`.
For other models write the rules yourself; nothing else in this room knows these names.
"""

import re
from collections.abc import Iterable, Sequence

_BLOCK = r"encoder/layer/(?:{blocks})/"

KINDS: dict[str, str] = {
    "query": _BLOCK + r"attention/self/query",
    "key": _BLOCK + r"attention/self/key",
    "value": _BLOCK + r"attention/self/value",
    "attention_output": _BLOCK + r"attention/output/dense",
    "intermediate": _BLOCK + r"intermediate/dense",
    "output": _BLOCK + r"output/dense",
    "pooler": r"pooler/dense",
    "head": r"(?:pre_)?classifier(?:/dense|/out_proj)?",
}
"""Kind of matrix → pattern of the module that holds it. `{blocks}` stands for block numbers.

`pooler` is BERT's pretrained pooler; `head` is everything that starts at random: the output
layer and, for RoBERTa and DistilBERT, the hidden layer before it.
"""


def encoder_rules(
    kinds: Iterable[str],
    *,
    blocks: Sequence[int] | None = None,
    biases: bool = False,
) -> tuple[str, ...]:
    """Rules for `select_paths` that pick matrices of an encoder by kind and block.

    Args:
        kinds: Names of `KINDS`.
        blocks: Numbers of the blocks, from 0; None means all of them.
        biases: Whether the biases of the chosen matrices are picked too.

    Returns:
        One regular expression a kind, to be matched against whole paths.

    Raises:
        ValueError: If a kind is not known, or `blocks` is empty.

    Example:
        >>> encoder_rules(["key"], blocks=[2, 3])
        ('encoder/layer/(?:2|3)/attention/self/key/kernel',)
    """
    kinds = tuple(kinds)
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"Expected kinds among {', '.join(KINDS)}, got {unknown} instead.")
    if blocks is not None and not blocks:
        raise ValueError("Expected at least one block, got none; None means all blocks.")
    numbers = r"\d+" if blocks is None else "|".join(str(block) for block in blocks)
    leaf = "(?:kernel|bias)" if biases else "kernel"
    return tuple(f"{KINDS[kind].replace('{blocks}', numbers)}/{leaf}" for kind in kinds)


def kind_of(path: str) -> str | None:
    """The kind of matrix that a canonical path belongs to, or None for other leaves.

    Args:
        path: A path such as `encoder/layer/3/output/dense/kernel`.

    Returns:
        A name of `KINDS`, or None.

    Example:
        >>> kind_of("encoder/layer/3/output/dense/kernel"), kind_of("embeddings/LayerNorm/scale")
        ('output', None)
    """
    for kind in KINDS:
        if re.fullmatch(encoder_rules([kind], biases=True)[0], path):
            return kind
    return None


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
