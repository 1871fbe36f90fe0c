"""The paper's eleven tasks on its three encoders, from rows in a file to predictions.

Of other encoders, each form of a row.
"""

import json
from pathlib import Path

import pytest

from maskjax.cli.main import main
from maskjax.config import load_config
from maskjax.tasks import REGISTRY

pytestmark = pytest.mark.usefixtures("standard_promotion")
TABLE = Path(__file__).parents[1] / "configs" / "tasks.py"
OTHERS = ("albert", "deberta-v2", "modernbert", "eurobert", "gemma3_text")
PAPER = ("mrpc", "sst2", "cola", "rte", "qnli", "semeval", "trec", "ag", "pos", "ner", "swag")
# Each encoder and each form of a row: two sentences, one, words, choices. Others are slow tests.
FIRST = {("roberta", "mrpc"), ("distilbert", "trec"), ("bert", "pos"), ("bert", "swag")}
FEW = [
    *("--task.max-length", "16", "--train.buckets", "16", "--train.batch-size", "4"),
    *("--train.epochs", "1", "--task.holdout", "0", "--train.eval-every", "9"),
]
COMMON = {
    "vocab_size": 12,
    "max_position_embeddings": 24,
    "pad_token_id": 0,
}
SIZES = {
    "bert": {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 8,
    },
    "distilbert": {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 8},
}
SIZES["roberta"] = SIZES["bert"] | {"type_vocab_size": 1}
PAIRS = [(family, task) for family in SIZES for task in PAPER]
SIZES["modernbert"] = SIZES["bert"] | {"num_hidden_layers": 2, "local_attention": 4}
SIZES["eurobert"] = SIZES["bert"] | {"num_key_value_heads": 1}
SIZES["deberta-v2"] = SIZES["bert"] | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
SIZES["deberta-v2"] |= {"share_att_key": True, "norm_rel_ebd": "layer_norm", "position_buckets": 4}
SIZES["gemma3_text"] = SIZES["eurobert"] | {
    "head_dim": 6,
    "query_pre_attn_scalar": 6,
    "use_bidirectional_attention": True,
}
SIZES["albert"] = SIZES["bert"] | {"num_hidden_layers": 3, "embedding_size": 4}
PAIRS += [(family, task) for _, task in sorted(FIRST) for family in OTHERS]
FIRST |= {
    ("albert", "mrpc"),
    ("deberta-v2", "mrpc"),
    ("modernbert", "trec"),
    ("eurobert", "pos"),
    ("gemma3_text", "swag"),
}
CASES = [pytest.param(*pair, marks=[] if pair in FIRST else [pytest.mark.slow]) for pair in PAIRS]
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "good",
    "bad",
    "film",
    "very",
    "a",
    "is",
    "##s",
]


@pytest.fixture(scope="module")
def base(request, tmp_path_factory, write_base):
    values = {"model_type": request.param, **COMMON, **SIZES[request.param]}
    return write_base(tmp_path_factory.mktemp(request.param), values, WORDS, scale=0.4)


def write_rows(entry, folder):
    """Sixteen training rows and six of each other split, with the columns of the Hub."""
    for split, count in {"train": 16, "dev": 6, "test": 6}.items():
        rows = [row_of(entry, number) for number in range(count)]
        lines = (json.dumps(row) for row in rows)
        (folder / f"{split}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def row_of(entry, number):
    word = ("bad", "good")[number % 2]
    if entry.kind == "tokens":
        tag = ("O", "B-LOC")[number % 2]
        return {entry.text[0]: ["a", word, "film"], entry.label: ["O", tag, "O"]}
    texts = dict.fromkeys(entry.text, f"a {word} film")
    endings = {
        column: "is " + ("good" if index == number % len(entry.choices) else "bad")
        for index, column in enumerate(entry.choices)
    }
    labels = len(entry.choices) or 2
    return texts | endings | {entry.label: str(number % labels)}


@pytest.mark.parametrize(("base", "task"), CASES, indirect=["base"])
def test_task_trains_is_evaluated_and_predicts(base, task, tmp_path, capsys):
    entry = REGISTRY[load_config(f"{TABLE}:{task}").task.name]
    write_rows(entry, tmp_path)
    run = tmp_path / "run"
    where = ["--model.base", str(base), "--task.path", str(tmp_path), "--out", str(run)]
    assert main(["train", "--config", f"{TABLE}:{task}", *where, *FEW]) == 0, (
        capsys.readouterr().err
    )
    scores = json.loads((run / "result.json").read_text())["scores"]
    assert scores.keys() == {"dev", "test"}
    assert main(["evaluate", str(run)]) == 0
    assert f"{scores['dev']:.4f}" in capsys.readouterr().out
    predictions = tmp_path / "predictions.jsonl"
    asked = ["--input", str(tmp_path / "dev.jsonl"), "--output", str(predictions)]
    assert main(["predict", str(run), *asked]) == 0
    rows = [json.loads(line) for line in predictions.read_text().splitlines()]
    assert len(rows) == 6
    if entry.kind == "tokens":
        assert {len(row["label"]) for row in rows} == {3}
