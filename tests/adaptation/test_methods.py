"""From configurations to adaptations: what each trains, and settings that do not fit."""

import jax
import numpy as np
import pytest

from maskjax.adaptation import (
    make_adaptation,
    make_soft_sparsity,
    masked_blocks,
    random_mask_specs,
)
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.taskfile.codec import initial_mask

KEY = jax.random.key(0)
ATTENTION = ["attention/self/query", "attention/self/key", "attention/self/value"]
MODULES = [*ATTENTION, "attention/output/dense", "intermediate/dense", "output/dense"]
HEAD_MODULES = {
    "bert": ["classifier"],
    "roberta": ["classifier/dense", "classifier/out_proj"],
    "distilbert": ["pre_classifier", "classifier"],
}
LOWEST = {"bert": 1, "roberta": 1, "distilbert": 2}
"""The first masked block of six."""


def in_blocks(blocks, modules=MODULES, leaves=("kernel",)) -> set[str]:
    return {f"encoder/layer/{b}/{m}/{leaf}" for b in blocks for m in modules for leaf in leaves}


def head(family: str, leaves=("kernel", "bias")) -> set[str]:
    return {f"{module}/{leaf}" for module in HEAD_MODULES[family] for leaf in leaves}


@pytest.fixture(params=HEAD_MODULES)
def family(request) -> str:
    return request.param


@pytest.fixture
def trained(model_of, parameters):
    """The paths of each part of the trainable."""

    def paths(family: str = "bert", layers: int = 6, **config) -> dict[str, set[str]]:
        model = model_of(family, layers)
        adaptation = make_adaptation(AdaptationConfig(**config), model)
        trainable = jax.eval_shape(adaptation.init, KEY, parameters(model))
        return {name: set(part) for name, part in trainable.items()}

    return paths


@pytest.mark.parametrize("biases", [False, True])
@pytest.mark.parametrize("how", ["masked", "trained", "both"])
def test_masking_trains_scores_and_the_chosen_head(trained, family, how, biases):
    leaves = ("kernel", "bias") if biases else ("kernel",)
    scores = in_blocks(range(LOWEST[family], 6), leaves=leaves)
    scores |= {f"pooler/dense/{leaf}" for leaf in leaves if family == "bert"}
    expected = {"scores": scores}
    if how != "trained":
        scores |= head(family, leaves)
    if how != "masked":
        expected["head"] = head(family)
    assert trained(family, head=how, biases=biases) == expected


def test_masking_is_restricted_to_matrix_types_and_blocks(trained):
    chosen = trained(matrix_types=("query", "output", "query"), blocks=(0, 2), head="trained")
    assert chosen["scores"] == in_blocks(range(3), ["attention/self/query", "output/dense"])


def test_head_granularity_masks_attention_only(trained):
    chosen = {"granularity": "head", "head": "trained", "blocks": (4, 5)}
    assert trained(**chosen)["scores"] == in_blocks([4, 5], ATTENTION)
    biases = trained(**chosen, biases=True)["scores"]
    assert biases == in_blocks([4, 5], ATTENTION, ("kernel", "bias"))
    output = trained(**chosen, matrix_types=("attention_output",))["scores"]
    assert output == in_blocks([4, 5], ["attention/output/dense"])


def test_head_method_trains_the_head_only(trained, family):
    assert trained(family, method="head") == {"head": head(family)}


def test_finetuning_trains_every_leaf(trained, family, model_of, parameters):
    every = set(flatten_with_paths(parameters(model_of(family))))
    expected = {"weights": every - head(family), "head": head(family)}
    assert trained(family, method="finetune") == expected


def test_bitfit_trains_biases_and_the_head(trained, family):
    norms = ["attention/output/LayerNorm", "output/LayerNorm"]
    biases = in_blocks(range(6), MODULES + norms, ["bias"]) | {"embeddings/LayerNorm/bias"}
    if family == "bert":
        biases.add("pooler/dense/bias")
    assert trained(family, method="bitfit") == {"weights": biases, "head": head(family)}


def test_lora_adapts_the_default_or_chosen_matrix_types(trained, family):
    expected = {"lora": in_blocks(range(6), ATTENTION[::2]), "head": head(family)}
    assert trained(family, method="lora") == expected
    some = trained(family, method="lora", matrix_types=("intermediate",), blocks=(1, 2))
    assert some == {"lora": in_blocks([1, 2], ["intermediate/dense"]), "head": head(family)}


def test_lora_uses_rank_and_alpha_of_its_settings(model_of, parameters, move):
    config = AdaptationConfig(
        method="lora", rank=3, alpha=6.0, blocks=(0, 0), matrix_types=("key",)
    )
    model = model_of()
    adaptation, params = make_adaptation(config, model), parameters(model)
    trainable = move(adaptation.init(KEY, params))
    ((path, factors),) = trainable["lora"].items()
    assert factors["a"].shape == (4, 3)
    update = 2.0 * np.asarray(factors["a"]) @ np.asarray(factors["b"])
    adapted = flatten_with_paths(adaptation.apply(trainable, params))[path]
    np.testing.assert_allclose(adapted, flatten_with_paths(params)[path] + update, atol=1e-5)


@pytest.mark.parametrize("binarizer", ["threshold", "sign", "top_k", "global_top_k"])
@pytest.mark.parametrize(
    "initializer", ["proportional", "ones", "uniform", "magnitude", "random", "double_uniform"]
)
def test_every_initializer_has_the_requested_sparsity(model_of, parameters, binarizer, initializer):
    """The settings reach the transform; misfits are errors, not other starts."""
    ranks = binarizer.endswith("top_k")
    keeps_all = initializer in ("proportional", "ones") and not ranks
    misfit = ranks and initializer == "ones"
    misfit |= (binarizer, initializer) == ("sign", "double_uniform")
    sparsity = None if keeps_all else 0.25
    config = AdaptationConfig(
        binarizer=binarizer, initializer=initializer, sparsity=sparsity, threshold=0.03
    )
    model = model_of(layers=1)
    if misfit:
        with pytest.raises(InputError, match=f"adaptation.initializer: {initializer} does not fit"):
            make_adaptation(config, model)
        return
    adaptation, params = make_adaptation(config, model), parameters(model)
    trainable = adaptation.init(KEY, params)
    sparsity = make_soft_sparsity(config, model)(trainable, params)
    masks = adaptation.finalize(trainable, params).masks.values()
    zeros, total = sum(int((~m).sum()) for m in masks), sum(m.size for m in masks)
    assert float(sparsity) == pytest.approx(zeros / total, abs=1e-6)
    slack = 5 * np.sqrt(0.25 * 0.75 / total) if initializer == "uniform" and not ranks else 0
    assert float(sparsity) == pytest.approx(0 if keeps_all else 0.25, abs=slack + 1e-6)


@pytest.mark.parametrize("initializer", ["proportional", "ones"])
def test_sparsity_is_refused_by_initializers_that_keep_all(model_of, initializer):
    with pytest.raises(InputError, match=r"adaptation.sparsity: the initializer .* keeps every"):
        make_adaptation(AdaptationConfig(initializer=initializer, sparsity=0.1), model_of())


def test_protected_weights_stay_at_any_scores(model_of, parameters):
    model = model_of(layers=1)
    params = parameters(model)
    adaptation = make_adaptation(AdaptationConfig(protect=0.7), model)
    trainable = adaptation.init(KEY, params)
    moved = {
        "head": trainable["head"],
        "scores": jax.tree.map(lambda s: s - 1e6, trainable["scores"]),
    }
    for path, mask in adaptation.finalize(moved, params).masks.items():
        size = np.abs(flatten_with_paths(params)[path])
        np.testing.assert_array_equal(mask, size < 0.7 * size.mean())
    with pytest.raises(InputError, match=r"adaptation.protect: the initializer ones protects"):
        make_adaptation(AdaptationConfig(protect=0.7, initializer="ones"), model)


def test_margin_scales_the_starts_that_keep_all(model_of, parameters):
    model = model_of(layers=1)
    params = parameters(model)
    for initializer in ("ones", "proportional"):
        config = AdaptationConfig(initializer=initializer, margin=0.2, threshold=0.5)
        scores = make_adaptation(config, model).init(KEY, params)["scores"]
        for path, leaf in scores.items():
            size = np.abs(flatten_with_paths(params)[path])
            shape = size / size.mean() if initializer == "proportional" else np.ones_like(size)
            np.testing.assert_allclose(leaf, 0.5 + 0.2 * shape, rtol=1e-5)


def test_bernoulli_starts_at_the_logit_of_the_sparsity(model_of, parameters):
    model = model_of(layers=1)
    config = AdaptationConfig(binarizer="bernoulli", initializer="uniform", sparsity=0.2)
    adaptation = make_adaptation(config, model)
    for scores in adaptation.init(KEY, parameters(model))["scores"].values():
        np.testing.assert_allclose(1 / (1 + np.exp(scores)), 0.2, rtol=1e-6)


@pytest.mark.parametrize("binarizer", ["top_k", "global_top_k"])
def test_top_k_ranks_each_matrix_and_global_top_k_all(model_of, parameters, move, binarizer):
    """After scores move, the share is exact in each matrix, or only in all together."""
    model = model_of(layers=1)
    config = AdaptationConfig(binarizer=binarizer, sparsity=0.25)
    adaptation, params = make_adaptation(config, model), parameters(model)
    masks = adaptation.finalize(move(adaptation.init(KEY, params)), params).masks.values()
    shares = {float((~mask).mean()) for mask in masks}
    assert (shares == {0.25}) == (binarizer == "top_k")
    assert sum(int((~mask).sum()) for mask in masks) == sum(mask.size for mask in masks) / 4


def test_matrix_granularity_has_one_score_per_matrix(model_of, parameters):
    model = model_of(layers=1)
    adaptation = make_adaptation(AdaptationConfig(granularity="matrix"), model)
    assert {s.shape for s in adaptation.init(KEY, parameters(model))["scores"].values()} == {()}


@pytest.mark.parametrize(
    ("family", "layers", "blocks", "expected"),
    [
        ("bert", 12, None, range(2, 12)),
        ("roberta", 12, None, range(2, 12)),
        ("bert", 24, None, range(4, 24)),
        ("bert", 6, None, range(1, 6)),
        ("distilbert", 6, None, range(2, 6)),
        ("bert", 1, None, range(1)),
        ("distilbert", 2, None, range(1, 2)),
        ("bert", 12, (0, 0), range(1)),
        ("distilbert", 6, (1, 3), range(1, 4)),
    ],
)
def test_masked_blocks_leave_out_the_lowest_unless_given(encoder, family, layers, blocks, expected):
    config = AdaptationConfig(blocks=blocks)
    assert masked_blocks(config, encoder(family, layers)) == expected


@pytest.mark.parametrize(
    ("family", "config", "message"),
    [
        ("bert", {"blocks": (2, 6)}, r"adaptation.blocks: .* within 0..5, got 2 6"),
        ("bert", {"blocks": (-1, 2)}, r"adaptation.blocks: .* got -1 2"),
        ("bert", {"blocks": (3, 2)}, r"adaptation.blocks: .* got 3 2"),
        ("bert", {"blocks": (6, 6), "method": "lora"}, r"adaptation.blocks: .* got 6 6"),
        (
            "bert",
            {"matrix_types": ("key", "qerry")},
            r"adaptation.matrix_types: .*pooler, got qerry",
        ),
        (
            "bert",
            {"matrix_types": ("qerry",), "method": "lora"},
            r"adaptation.matrix_types: .* got qerry",
        ),
        ("bert", {"matrix_types": ("head",)}, r"adaptation.matrix_types: .* use --adaptation.head"),
        (
            "bert",
            {"matrix_types": ("head",), "method": "lora"},
            r"adaptation.matrix_types: .* got head",
        ),
        (
            "roberta",
            {"matrix_types": ("pooler",)},
            r"adaptation.matrix_types: .*, output, got pooler",
        ),
        ("distilbert", {"matrix_types": ("pooler",)}, r"adaptation.matrix_types: .* got pooler"),
        (
            "bert",
            {"granularity": "head", "head": "masked"},
            r"adaptation.granularity: .* --adaptation.head trained",
        ),
        ("bert", {"granularity": "head", "head": "both"}, r"adaptation.granularity"),
        (
            "bert",
            {"matrix_types": ("key", "output"), "granularity": "head"},
            r"attention_output, got output",
        ),
        (
            "bert",
            {"matrix_types": ("attention_output",), "biases": True, "granularity": "head"},
            r"adaptation.biases: the bias of attention_output",
        ),
        (
            "bert",
            {"granularity": "matrix", "binarizer": "top_k"},
            r"adaptation.granularity: .* --adaptation.binarizer global_top_k",
        ),
        *(
            (
                "bert",
                {"binarizer": "bernoulli", "initializer": initializer},
                f"adaptation.initializer: {initializer}",
            )
            for initializer in ("proportional", "ones", "magnitude", "random", "double_uniform")
        ),
    ],
)
def test_settings_that_do_not_fit_the_model_are_refused(model_of, family, config, message):
    with pytest.raises(InputError, match=message) as caught:
        make_adaptation(AdaptationConfig(**config), model_of(family))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("binarizer", ["threshold", "sign"])
def test_random_mask_specs_give_the_initial_masks_of_training(model_of, parameters, binarizer):
    config = AdaptationConfig(initializer="uniform", sparsity=0.3, binarizer=binarizer)
    model = model_of(layers=2)
    adaptation, params = make_adaptation(config, model), parameters(model)
    masks = adaptation.finalize(adaptation.init(KEY, params), params).masks
    specs = random_mask_specs(config, KEY, masks)
    assert specs.keys() == masks.keys()
    for path, mask in masks.items():
        expected = initial_mask(specs[path], mask.shape).unpack()
        np.testing.assert_array_equal(np.asarray(mask), expected)


@pytest.mark.parametrize(
    "config", [{}, {"initializer": "uniform", "granularity": "matrix"}, {"method": "finetune"}]
)
def test_starts_without_random_zeros_have_no_spec(config):
    assert random_mask_specs(AdaptationConfig(**config), KEY, ["a"]) == {}
