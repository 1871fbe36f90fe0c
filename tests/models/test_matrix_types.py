"""Matrix types and blocks of canonical paths, against paths written out by hand."""

import re

import pytest

from maskjax.masking import Count
from maskjax.masking.selection import select_paths
from maskjax.models import (
    MATRIX_TYPES,
    block_of,
    count_by_block,
    count_by_type,
    encoder_rules,
    matrix_type,
)

MODULES = {
    "query": "encoder/layer/{}/attention/self/query",
    "key": "encoder/layer/{}/attention/self/key",
    "value": "encoder/layer/{}/attention/self/value",
    "position_query": "encoder/layer/{}/attention/self/position_query",
    "position_key": "encoder/layer/{}/attention/self/position_key",
    "attention_output": "encoder/layer/{}/attention/output/dense",
    "intermediate": "encoder/layer/{}/intermediate/dense",
    "gate": "encoder/layer/{}/intermediate/gate",
    "output": "encoder/layer/{}/output/dense",
    "pooler": "pooler/dense",
}
HEADS = {
    "bert": ["classifier"],
    "roberta": ["classifier/dense", "classifier/out_proj"],
    "distilbert": ["pre_classifier", "classifier"],
}
FROZEN = [
    "embeddings/word_embeddings/embedding",
    "embeddings/LayerNorm/scale",
    "encoder/layer/1/output/LayerNorm/bias",
    "encoder/layer/1/attention/output/LayerNorm/scale",
]


def encoder_paths(family: str, blocks: int = 12) -> list[str]:
    modules = [m.format(i) for m in MODULES.values() for i in range(blocks) if "{}" in m]
    modules += ["pooler/dense"] * (family == "bert") + HEADS[family]
    return [f"{m}/{leaf}" for m in modules for leaf in ("bias", "kernel")] + FROZEN


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("blocks", [None, [1], [0, 11], range(2, 12)])
@pytest.mark.parametrize("name", MODULES)
def test_encoder_rules_select_a_type_in_its_blocks(name, blocks, biases):
    """Block 1 is not block 11."""
    numbers = range(12) if blocks is None else blocks
    leaves = ("bias", "kernel") if biases else ("kernel",)
    expected = {f"{MODULES[name].format(i)}/{leaf}" for i in numbers for leaf in leaves}
    rules = encoder_rules([name], blocks=blocks, biases=biases)
    assert set(select_paths(encoder_paths("bert"), rules)) == expected


@pytest.mark.parametrize("family", HEADS)
def test_encoder_rules_select_the_head(family):
    rules = encoder_rules(["head"], biases=True)
    expected = {f"{module}/{leaf}" for module in HEADS[family] for leaf in ("kernel", "bias")}
    assert set(select_paths(encoder_paths(family), rules)) == expected


@pytest.mark.parametrize("family", HEADS)
def test_type_and_block_are_read_from_every_path(family):
    for path in encoder_paths(family):
        module = path.rsplit("/", 1)[0]
        block = re.match(r"encoder/layer/(\d+)/", path)
        by_module = {m.format(block[1] if block else ""): name for name, m in MODULES.items()}
        expected = by_module.get(module, "head" if module in HEADS[family] else None)
        assert matrix_type(path) == expected
        assert block_of(path) == (int(block[1]) if block else None)


def test_every_type_is_tested():
    assert set(MATRIX_TYPES) == {*MODULES, "head"}


def test_unknown_type_is_refused():
    with pytest.raises(ValueError, match=r"types among query.*got \['qerry'\]"):
        encoder_rules(["query", "qerry"])


def test_empty_blocks_are_refused():
    with pytest.raises(ValueError, match="at least one block"):
        encoder_rules(["query"], blocks=[])


def test_counts_are_grouped_by_type_and_by_block():
    paths = (
        "encoder/layer/0/attention/self/query/kernel",
        "encoder/layer/0/output/dense/kernel",
        "encoder/layer/0/output/dense/bias",
        "encoder/layer/11/output/dense/kernel",
        "pooler/dense/kernel",
        "classifier/kernel",
        "classifier/out_proj/kernel",
        "somewhere/else",
    )
    counts = {path: Count(2**index, 1000 + 2**index) for index, path in enumerate(paths)}
    query, output, bias, last, pooler, head, out, other = counts.values()

    def add(*some: Count) -> Count:
        return Count(sum(c.zeros for c in some), sum(c.total for c in some))

    assert count_by_type(counts) == {
        "query": query,
        "output": add(output, bias, last),
        "pooler": pooler,
        "head": add(head, out),
        "other": other,
    }
    assert count_by_block(counts) == {
        "0": add(query, output, bias),
        "11": last,
        "other": add(pooler, head, out, other),
    }
