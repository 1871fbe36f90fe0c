"""Runs with a mask for each application of a shared block: trained, saved, loaded, served."""

import dataclasses
import gc
import json

import jax
import numpy as np
import pytest

from maskjax import Predictor
from maskjax.adaptation import Delta
from maskjax.analysis.footprint import live_bytes, measure
from maskjax.cli.main import main
from maskjax.config import AdaptationConfig, MeshConfig, ModelConfig, TrainConfig, config_from_dict
from maskjax.errors import InputError
from maskjax.export import export_hf, export_torch_masks
from maskjax.inference import load_run, predict_rows
from maskjax.masking import flatten_with_paths
from maskjax.masking.distinct import distinct_leaves
from maskjax.models import load_base, unshare
from maskjax.models.matrix_types import block_of
from maskjax.taskfile import (
    TASK_FILE,
    load_task_file,
    make_meta,
    make_task_file,
    save_task_file,
)
from maskjax.tasks import Split
from maskjax.tasks.tokenizer_convert import load_with_transformers
from maskjax.training import Hook, fit, prepare, run
from tests.tiny import TOY, WORDS, write_random_base

pytestmark = pytest.mark.slow

LAYERS = 3
QUERY = "encoder/layer/{}/attention/self/query/kernel"
TEXTS = ["the good film", "a bad song was very bad", "good good", "the film"]
ALL = AdaptationConfig(initializer="uniform", sparsity=0.3, blocks=(0, LAYERS - 1))
SHARED = dataclasses.replace(ALL, blocks=(0, 0))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """An ALBERT of three applications, most of whose weights are in its block."""
    values = TOY | {"model_type": "albert", "embedding_size": 8, "num_hidden_layers": LAYERS}
    values |= {"hidden_size": 32, "intermediate_size": 64}
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##s"]
    return write_random_base(tmp_path_factory.mktemp("albert"), values, words, scale=0.2)


@pytest.fixture(scope="module")
def configured(base, toy_config):
    def make(adaptation=ALL, *, unshare=True, **parts):
        model = ModelConfig(base=str(base), unshare=unshare, **parts.pop("model", {}))
        train = TrainConfig(batch_size=16, epochs=1, buckets=(16,), dropout=0.0)
        return toy_config(adaptation=adaptation, model=model, **{"train": train, **parts})

    return make


@pytest.fixture(scope="module")
def unshared(configured, tmp_path_factory):
    return run(configured(), tmp_path_factory.mktemp("runs") / "unshared").folder


@pytest.fixture(scope="module")
def shared(configured, tmp_path_factory):
    config = configured(SHARED, unshare=False)
    return run(config, tmp_path_factory.mktemp("runs") / "shared").folder


class MeasureMemory(Hook):
    """The bytes that live while the last step's state does."""

    def __call__(self, training):
        jax.block_until_ready(training.state)
        gc.collect()
        self.live = live_bytes()
        self.state = nbytes([training.state.trainable, training.state.opt_state])


def nbytes(tree) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize("frozen_dtype", ["float32", "bfloat16"])
def test_memory_holds_the_block_once_before_and_in_a_step(configured, base, frozen_dtype):
    once = nbytes(load_base(base).params)
    block = nbytes(load_base(base).params["encoder"]["layer"]["0"])
    assert block > 0.5 * once
    gc.collect()
    before = live_bytes()
    experiment = prepare(configured(model={"frozen_dtype": frozen_dtype}))
    gc.collect()
    head = nbytes(experiment.params["classifier"])
    loaded = live_bytes() - before
    # On a CPU the arrays of the base that are kept on the host may be those of the device.
    whole = once if frozen_dtype == "float32" else 1.5 * once
    assert once / 2 < loaded <= whole + head + 64
    measured = MeasureMemory()
    fit(experiment, [measured])
    scores = nbytes([w for p, w in flatten_with_paths(experiment.params).items() if block_of(p)])
    assert measured.state > scores  # scores and moments are of every application
    # The best trainable is a copy, and batches and keys are small.
    assert measured.live - before < loaded + 2 * measured.state + block / 2


def test_a_mesh_holds_the_block_once(configured):
    mesh = MeshConfig(data=2, model=2, fsdp=True)
    alone, divided = prepare(configured()), prepare(configured(mesh=mesh))
    assert len(distinct_leaves(divided.params)) == len(distinct_leaves(alone.params))
    leaves = flatten_with_paths(divided.params)
    assert len(leaves[QUERY.format(2)].sharding.device_set) == 4
    found, expected = (fit(experiment).trainable["scores"] for experiment in (divided, alone))
    for path, scores in expected.items():
        np.testing.assert_allclose(found[path], scores, rtol=1e-4, atol=1e-5)


def test_a_run_has_a_mask_for_each_application(unshared, shared):
    masks, one = (load_task_file(place / TASK_FILE).masks for place in (unshared, shared))
    of_block = [path for path in one if block_of(path) == 0]
    assert {path for path in masks if block_of(path) == 2} == {
        path.replace("layer/0", "layer/2") for path in of_block
    }
    bits = {
        place: sum(np.prod(mask.shape) for mask in found.values())
        for place, found in (("each", masks), ("one", one))
    }
    block = sum(np.prod(one[path].shape) for path in of_block)
    assert bits["each"] - bits["one"] == (LAYERS - 1) * block
    different = [masks[QUERY.format(n)].unpack() for n in range(LAYERS)]
    assert (different[0] != different[1]).any()


def test_a_saved_run_is_loaded_as_it_was_trained(unshared, base):
    loaded = load_run(unshared)
    assert loaded.base.config.sharing == "unshared"
    scores = json.loads((unshared / "result.json").read_text())["scores"]
    assert loaded.score(loaded.load_rows().splits["dev"]) == pytest.approx(scores["dev"])
    served = Predictor(str(base), tasks=[unshared])
    for prediction, text in zip(predictions_of(loaded), TEXTS, strict=True):
        (answer,) = served([text])[0]
        assert answer["label"] == prediction["label"]
        assert answer["score"] == pytest.approx(prediction["score"], abs=1e-5)


def test_one_predictor_serves_shared_and_unshared_tasks(unshared, shared, base):
    for together in (1, 4):
        predictor = Predictor(str(base), tasks=[unshared, shared], together=together, hot_bytes=0)
        tasks = ["unshared", "shared", "shared", "unshared"]
        answers = predictor(TEXTS, tasks=tasks)
        for name, place in (("unshared", unshared), ("shared", shared)):
            alone = predictions_of(load_run(place))
            for number in (n for n, task in enumerate(tasks) if task == name):
                expected = alone[number]
                assert answers[number][0]["label"] == expected["label"]
                assert answers[number][0]["score"] == pytest.approx(expected["score"], abs=1e-5)
        for name, place in (("unshared", unshared), ("shared", shared)):
            alone = load_run(place)
            np.testing.assert_allclose(
                predictor.vectors(TEXTS, name), mean_states(alone, alone.params), atol=1e-5
            )
        plain = mean_states(alone, alone.base.params)
        np.testing.assert_allclose(predictor.vectors(TEXTS), plain, atol=1e-5)
    assert predictor.resident()["base"] < 1.1 * nbytes(load_base(base).params)


def predictions_of(loaded) -> list:
    """What a saved run predicts for the texts."""
    split = Split([(text,) for text in TEXTS], np.zeros(len(TEXTS), np.int32))
    return predict_rows(loaded.task, loaded.logits(loaded.encode(split)))


def mean_states(loaded, params) -> np.ndarray:
    """The mean over the tokens of the last block."""
    inputs = load_with_transformers(loaded.base.folder)(TEXTS, padding=True, return_tensors="np")
    inputs = {name: array.astype(np.int32) for name, array in inputs.items()}
    states = np.asarray(loaded.model.hidden_states(params, inputs)[-1])
    is_token = inputs["attention_mask"][:, :, None]
    return (states * is_token).sum(1) / is_token.sum(1)


def test_equal_masks_of_all_applications_answer_as_one_does(shared, base, tmp_path):
    file = load_task_file(shared / TASK_FILE)
    assert file.meta["config"]["model"]["unshare"] is False
    spread = {
        path.replace("layer/0", f"layer/{n}"): mask.unpack()
        for path, mask in file.masks.items()
        for n in range(LAYERS)
    }
    config = configured_like(file.meta["config"])
    meta = make_meta(load_run(shared).task, unshare(load_base(base)), config, {})
    delta = Delta.of(weights=file.delta.weights) | Delta.of(masks=spread)
    leaves = flatten_with_paths(unshare(load_base(base)).params)
    save_task_file(tmp_path / "spread.safetensors", make_task_file(delta, leaves, meta))
    predictor = Predictor(str(base), tasks=[shared, tmp_path / "spread.safetensors"])
    for one, each in zip(predictor(TEXTS, "shared"), predictor(TEXTS, "spread"), strict=True):
        assert one[0]["label"] == each[0]["label"]
        assert one[0]["score"] == pytest.approx(each[0]["score"], abs=1e-6)


def configured_like(values):
    """The settings of a run, but for its block, which is unshared."""
    config = config_from_dict(values, "the run")
    return dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, unshare=True),
        adaptation=dataclasses.replace(config.adaptation, blocks=(0, LAYERS - 1)),
    )


def test_a_file_that_says_the_wrong_of_its_block_is_refused(shared, base, tmp_path):
    file = load_task_file(shared / TASK_FILE)
    config = {**file.meta["config"], "model": {**file.meta["config"]["model"], "unshare": True}}
    save_task_file(tmp_path / "t.safetensors", file._replace(meta={**file.meta, "config": config}))
    with pytest.raises(InputError, match="learned on another base"):
        Predictor(str(base), tasks=[tmp_path / "t.safetensors"])


def test_exports_hold_a_block_for_each_application(unshared, tmp_path):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    transformers.utils.logging.disable_progress_bar()
    predictor = load_run(unshared)
    with pytest.raises(InputError, match=r"--to torch-masks: .*model.unshare.*; use --to hf"):
        export_torch_masks(predictor, tmp_path / "masks")
    export_hf(predictor, tmp_path / "hf")
    model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
        tmp_path / "hf", output_loading_info=True
    )
    assert not any(info.values()), info
    assert model.config.num_hidden_groups == LAYERS
    inputs = load_with_transformers(predictor.base.folder)(TEXTS, padding=True, return_tensors="np")
    inputs = {name: array.astype(np.int32) for name, array in inputs.items()}
    with torch.no_grad():
        tensors = {n: torch.tensor(array.astype(np.int64)) for n, array in inputs.items()}
        expected = model.eval()(**tensors).logits.numpy()
    ours = np.asarray(predictor.model.apply(predictor.params, inputs))
    assert np.abs(ours - expected).max() <= 1e-5
    back = load_base(tmp_path / "hf")
    assert back.config.sharing == "none"
    leaves = flatten_with_paths(predictor.params)
    for path, leaf in flatten_with_paths(back.params).items():
        np.testing.assert_array_equal(leaf, leaves[path])


def test_a_base_without_shared_block_is_refused(toy_base, unshared, configured):
    config = configured()
    with pytest.raises(InputError, match=r"model.unshare: .* has no shared block"):
        prepare(dataclasses.replace(config, model=ModelConfig(base=str(toy_base), unshare=True)))
    with pytest.raises(InputError, match=r"shared block \(model.unshare\), and this base has none"):
        Predictor(str(toy_base), tasks=[unshared])


def test_masks_of_a_shared_run_do_not_fit_an_unshared_one(configured, shared):
    settings = AdaptationConfig(method="head", masks=str(shared))
    with pytest.raises(InputError, match=r"learned on another base .* --model.unshare"):
        prepare(configured(settings))
    again = prepare(configured(settings, unshare=False))
    assert again.base.config.sharing == "shared"


def test_the_commands_know_an_unshared_run(base, toy_rows, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["--model.base", str(base), "--model.unshare", "--task.name", "toy"]
    words += ["--task.path", str(toy_rows), "--task.text", "text", "--task.label", "label"]
    words += ["--task.max-length", "16", "--train.epochs", "1", "--train.buckets", "16"]
    assert main(["train", *words, "--out", str(out)]) == 0
    log = capsys.readouterr().out
    assert "albert, 3 blocks of 32 with masks of their own over one" in log
    score = json.loads((out / "result.json").read_text())["scores"]["dev"]
    assert main(["evaluate", str(out)]) == 0
    assert f"{score:.4f}" in capsys.readouterr().out
    assert main(["predict", str(out), "--text", *TEXTS]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= len(TEXTS)
    assert main(["export", str(out), "--to", "torch-masks", "--out", str(tmp_path / "m")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_tasks_of_each_application_take_a_bit_per_weight_of_each(base):
    block = load_base(base).params["encoder"]["layer"]["0"]
    kernels = [leaf.size for p, leaf in flatten_with_paths(block).items() if p.endswith("kernel")]
    found = {
        unshare: {m.tasks: m.bytes for m in measure("mask", str(base), (1, 5), unshare=unshare)}
        for unshare in (False, True)
    }
    grown = {unshare: (sizes[5] - sizes[1]) / 4 for unshare, sizes in found.items()}
    assert grown[True] - grown[False] == (LAYERS - 1) * sum(kernels) / 8
    for is_unshared, sizes in found.items():
        assert sizes[1] - grown[is_unshared] == nbytes(load_base(base).params)
