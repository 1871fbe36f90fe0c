"""Training under the masks of an earlier run, on a base part of which was re-initialized."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from maskjax.adaptation import Delta
from maskjax.config import AdaptationConfig, ModelConfig, TrainConfig
from maskjax.errors import InputError
from maskjax.inference import Predictor, load_predictor, load_run, score_logits
from maskjax.masking import flatten_with_paths
from maskjax.models import load_base, reinitialize
from maskjax.taskfile import TASK_FILE, load_task_file, save_task_file
from maskjax.tasks import Split, encode, load_task
from maskjax.training import prepare, run

PAPER = AdaptationConfig(head="masked", initializer="uniform", sparsity=0.3)
SHORT = TrainConfig(batch_size=16, epochs=1, buckets=(16,))
HEAD = "classifier/kernel"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fixed")


@pytest.fixture
def config(toy_config, toy_base):
    """A run over random feed-forward layers."""
    model = ModelConfig(base=str(toy_base), reinit=("intermediate", "layer_norm"), reinit_seed=3)
    return lambda adaptation, **parts: toy_config(
        **{"adaptation": adaptation, "model": model, "train": SHORT, **parts}
    )


@pytest.fixture
def masks(config, folder) -> str:
    """The run that learned the masks."""
    if not (folder / "masks").exists():
        run(config(PAPER), folder / "masks")
    return str(folder / "masks")


@pytest.mark.parametrize("head", ["trained", "both", "masked"])
def test_run_under_fixed_masks_predicts_as_in_training(config, masks, tmp_path, head):
    settings = AdaptationConfig(method="finetune", masks=masks, head=head)
    result = run(config(settings), tmp_path / "run")
    before, after = (load_run(path) for path in (masks, tmp_path / "run"))
    learned = before.file.masks.keys() - ({HEAD} if head == "trained" else set())
    assert after.file.masks.keys() == learned
    ours, theirs = flatten_with_paths(after.params), flatten_with_paths(before.params)
    for path in learned:
        mask = before.file.masks[path].unpack()
        np.testing.assert_array_equal(after.file.masks[path].unpack(), mask)
        assert not np.asarray(ours[path])[~mask].any()
        same = head == "masked" and path == HEAD
        assert np.array_equal(ours[path], theirs[path]) == same
    assert 0 < result.sparsity < 0.5
    splits = load_task(after.config.task).splits
    for split, score in result.scores.items():
        encoded = encode(splits[split], after.tokenizer, 16)
        found = score_logits(after.task, after.logits(encoded), encoded.labels)
        assert found == pytest.approx(score)


def test_the_head_starts_where_the_earlier_run_left_it(config, masks):
    before = flatten_with_paths(load_run(masks).params)
    train = dataclasses.replace(SHORT, seed=1)  # another one, so that a new head would be another
    settings = AdaptationConfig(method="head", masks=masks)
    start = flatten_with_paths(prepare(config(settings, train=train)).params)
    np.testing.assert_array_equal(start[HEAD], before[HEAD])
    assert (np.asarray(start[HEAD]) == 0).any()  # of the mask that it was frozen under


def test_base_is_reinitialized_in_training_and_prediction(config, masks, toy_base):
    leaves = flatten_with_paths(load_base(toy_base).params)
    for drawn in (prepare(config(PAPER)).base, load_run(masks).base):
        found = flatten_with_paths(drawn.params)
        changed = {path for path in leaves if not np.array_equal(found[path], leaves[path])}
        assert all("LayerNorm" in path or "intermediate" in path for path in changed)
        assert sum("intermediate" in path for path in changed) == 2 * 2


def test_predictor_of_a_run_has_its_reinitialized_base(config, masks, toy_base):
    texts, saved = ["a good film", "a bad book"], load_run(masks)
    split = Split([(text,) for text in texts], np.zeros(2, np.int32))
    logits = load_predictor(masks).logits(texts)
    np.testing.assert_allclose(logits, saved.logits(saved.encode(split)), atol=1e-5)
    other = reinitialize(load_base(toy_base), saved.config.model.reinit, seed=4)
    for unfit in (str(toy_base), other):
        with pytest.raises(InputError, match=r"intermediate, layer_norm are re-init.*load_predic"):
            Predictor(unfit, [masks])


def test_masks_of_another_base_are_refused(config, masks, toy_base):
    settings = AdaptationConfig(method="head", masks=masks)
    model = ModelConfig(base=str(toy_base))
    with pytest.raises(InputError, match=r"learned on another base .* --model.reinit"):
        prepare(config(settings, model=model))


def relabeled(file):
    return file._replace(meta={**file.meta, "task": {**file.meta["task"], "labels": ["a", "b"]}})


def finetuned(file):
    path = "encoder/layer/0/output/dense/bias"
    return file._replace(delta=file.delta | Delta.of(weights={path: np.zeros(16, np.float32)}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.with_masks({}), "expected a run with masks, .* has none"),
        (finetuned, ".* changes other weights too, encoder/layer/0/output/dense/bias first"),
        (relabeled, "expected the classification of negative, positive, got .* of a, b"),
    ],
)
def test_runs_without_masks_to_hold_fixed_are_refused(config, masks, tmp_path, change, message):
    file = load_task_file(Path(masks) / TASK_FILE)
    save_task_file(tmp_path / "changed.mask", change(file))
    settings = AdaptationConfig(method="head", masks=str(tmp_path / "changed.mask"))
    with pytest.raises(InputError, match=f"adaptation.masks: {message}"):
        prepare(config(settings))
