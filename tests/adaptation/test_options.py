"""The options of the paper's reference code, each checked weight by weight."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.adaptation import make_adaptation
from maskjax.config import AdaptationConfig
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.masking.packed import PackedMask
from maskjax.models import build_model, head_paths, read_config
from maskjax.models.matrix_types import matrix_type

KEY = jax.random.key(0)
FAMILIES = ("bert", "roberta", "distilbert")
BINARIZERS = ("threshold", "sign", "bernoulli", "top_k", "global_top_k")
HEADS = ("query", "key", "value")


def scores_of(model, params, **config) -> dict[str, np.ndarray]:
    adaptation = make_adaptation(AdaptationConfig(**config), model)
    return {path: np.asarray(s) for path, s in adaptation.init(KEY, params)["scores"].items()}


@pytest.mark.parametrize("binarizer", ["threshold", "sign"])
@pytest.mark.parametrize("family", FAMILIES)
def test_magnitude_and_uniform_split_between_encoder_and_head(
    model_of, parameters, family, binarizer
):
    model = model_of(family, 1)
    params = parameters(model)
    common = {"binarizer": binarizer, "head": "masked", "sparsity": 0.25}
    found, of_size, drawn = (
        scores_of(model, params, initializer=initializer, **common)
        for initializer in ("magnitude_and_uniform", "magnitude", "uniform")
    )
    head = found.keys() & set(head_paths(model))
    assert head
    for path, scores in found.items():
        np.testing.assert_array_equal(scores, (drawn if path in head else of_size)[path])
        if path not in head:
            size = np.abs(flatten_with_paths(params)[path])
            smallest = size <= np.sort(size, axis=None)[round(0.25 * size.size) - 1]
            np.testing.assert_array_equal(scores, np.where(smallest, 0, np.float32(0.02)))


def test_magnitude_and_uniform_needs_a_masked_head_and_no_logits(model_of):
    with pytest.raises(InputError, match=r"adaptation.initializer: the uniform half .* masked"):
        make_adaptation(AdaptationConfig(initializer="magnitude_and_uniform"), model_of())
    logits = AdaptationConfig(
        initializer="magnitude_and_uniform", binarizer="bernoulli", head="masked"
    )
    with pytest.raises(InputError, match="does not fit the scores of bernoulli"):
        make_adaptation(logits, model_of())


@pytest.mark.parametrize("sparsity", [0.01, 0.05, 0.5])
def test_sign_scores_start_where_gradients_are_not_clipped(model_of, parameters, sparsity):
    model = model_of(layers=1)
    config = {"binarizer": "sign", "initializer": "uniform", "sparsity": sparsity}
    scores = scores_of(model, parameters(model), **config)
    every = np.concatenate([leaf.ravel() for leaf in scores.values()])
    assert np.abs(every).max() < 1
    assert np.mean(every <= 0) == pytest.approx(sparsity, abs=4 * (sparsity / every.size) ** 0.5)


STRUCTURES = [
    {"granularity": "head", "structured": HEADS, "head": "masked"},
    {"granularity": "head", "structured": ("value", "attention_output")},
    {"granularity": "head", "structured": ("query",), "biases": True, "head": "both"},
    {"granularity": "matrix", "structured": ("output", "key")},
    {"granularity": "matrix", "structured": ("head",), "head": "both", "biases": True},
]


def groups_of(mask: np.ndarray, kind: str, granularity: str) -> np.ndarray:
    """The bits of each attention head, of which there are two, or of the matrix, as rows."""
    if granularity == "matrix":
        return mask.reshape(1, -1)
    return (mask if kind == "attention_output" else mask.T).reshape(2, -1)


@pytest.mark.parametrize("binarizer", BINARIZERS)
@pytest.mark.parametrize("config", STRUCTURES, ids=lambda c: "-".join(c["structured"]))
def test_only_structured_matrix_types_share_scores(model_of, parameters, move, config, binarizer):
    settings = {"binarizer": binarizer, "initializer": "uniform", "sparsity": 0.5, **config}
    model = model_of("roberta", 1)
    if (config["granularity"], binarizer) == ("matrix", "top_k"):
        with pytest.raises(InputError, match="global_top_k"):
            make_adaptation(AdaptationConfig(**settings), model)
        return
    params = parameters(model)
    adaptation = make_adaptation(AdaptationConfig(**settings), model)
    trainable = move(adaptation.init(KEY, params))
    applied = flatten_with_paths(adaptation.apply(trainable, params))
    seen = set()
    for path, scores in trainable["scores"].items():
        kind = "head" if path in head_paths(model) else str(matrix_type(path))
        seen.add(kind)
        mask = np.asarray(applied[path]) != 0
        if kind in config["structured"]:
            groups = groups_of(mask, kind, config["granularity"])
            assert scores.size == len(groups)
            assert (groups == groups[:, :1]).all(), path
        else:
            assert scores.shape == mask.shape
    assert seen > set(config["structured"])


def test_heads_that_share_keys_and_values_share_their_scores(parameters):
    tiny = {"model_type": "eurobert", "vocab_size": 8, "max_position_embeddings": 8}
    tiny |= {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 4}
    tiny |= {"num_key_value_heads": 2, "intermediate_size": 4}
    model = build_model(read_config(tiny, "tiny"), 2)
    adaptation = make_adaptation(AdaptationConfig(granularity="head"), model)
    scores = adaptation.init(KEY, parameters(model))["scores"]
    found = {matrix_type(path): leaf.shape for path, leaf in scores.items()}
    assert found == {"query": (4,), "key": (2,), "value": (2,)}


def test_projections_of_distances_have_heads(parameters):
    tiny = {"model_type": "deberta-v2", "vocab_size": 8, "max_position_embeddings": 8}
    tiny |= {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 4}
    tiny |= {"intermediate_size": 4, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}
    kinds = {"query", "key", "value", "position_query", "position_key"}
    for shared, expected in {False: kinds, True: {"query", "key", "value"}}.items():
        model = build_model(read_config(tiny | {"share_att_key": shared}, "tiny"), 2)
        params = parameters(model)
        adaptation = make_adaptation(AdaptationConfig(granularity="head"), model)
        trainable = adaptation.init(KEY, params)
        dropped = {path: scores.at[1].set(-1.0) for path, scores in trainable["scores"].items()}
        applied = adaptation.apply(trainable | {"scores": dropped}, params)
        found = {matrix_type(path): path for path in dropped}
        assert found.keys() == expected
        for path in found.values():
            kept = np.asarray(flatten_with_paths(applied)[path]) != 0
            assert not kept[:, 2:4].any()
            assert kept[:, [0, 1, 4, 5, 6, 7]].all()


def test_structured_matrix_types_must_be_masked_and_share_scores(model_of):
    for config in ({"structured": ("head",)}, {"structured": ("key",), "matrix_types": ("value",)}):
        with pytest.raises(InputError, match=r"adaptation.structured: .* masked types"):
            make_adaptation(AdaptationConfig(granularity="matrix", **config), model_of())
    without_heads = AdaptationConfig(granularity="head", structured=("key", "output"))
    with pytest.raises(InputError, match="attention_output, got output"):
        make_adaptation(without_heads, model_of())
    with pytest.raises(
        InputError, match=r"adaptation.granularity: .* --adaptation.structured, got weight"
    ):
        AdaptationConfig(structured=("key",))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("binarizer", BINARIZERS)
def test_biases_are_masked_and_learn_with_every_binarizer(model_of, parameters, family, binarizer):
    model = model_of(family, 1)
    params = parameters(model)
    settings = {"binarizer": binarizer, "initializer": "uniform", "sparsity": 0.5, "head": "masked"}
    adaptation = make_adaptation(AdaptationConfig(biases=True, **settings), model)
    trainable = adaptation.init(KEY, params)

    def total(trainable: dict, key: jax.Array | None) -> jax.Array:
        leaves = flatten_with_paths(adaptation.apply(trainable, params, key=key))
        return sum((leaf.sum() for leaf in leaves.values()), jnp.float32(0))

    masks = adaptation.finalize(trainable, params).masks
    biases = {path for path in masks if path.endswith("/bias")}
    assert len(biases) == len(masks) / 2
    key = jax.random.key(1) if binarizer == "bernoulli" else None
    gradient = jax.grad(total)(trainable, key)["scores"]
    applied = flatten_with_paths(adaptation.apply(trainable, params, key=key))
    zeros = 0
    for path in biases:
        weight = np.asarray(flatten_with_paths(params)[path])
        np.testing.assert_allclose(gradient[path], weight, rtol=1e-4)
        assert set(np.asarray(applied[path] / weight).round(6)) <= {0.0, 1.0}
        zeros += int((applied[path] == 0).sum())
    size = sum(masks[path].size for path in biases)
    assert 0.2 * size < zeros < 0.8 * size


UNDER = [
    {"method": "finetune"},
    {"method": "finetune", "head": "both"},
    {"method": "finetune", "head": "masked"},
    {"method": "head"},
    {"method": "bitfit"},
    {"method": "lora", "rank": 2},
]


@pytest.fixture(scope="session")
def fixed(model_of, parameters) -> dict[str, np.ndarray]:
    """Masks of some matrices and of the head."""
    rng = np.random.default_rng(3)
    leaves = flatten_with_paths(parameters(model_of(layers=2)))
    paths = [path for path in leaves if path.endswith("/kernel")]
    return {path: rng.random(leaves[path].shape) > 0.3 for path in paths}


@pytest.mark.parametrize("config", UNDER, ids=lambda c: "-".join(map(str, c.values())))
def test_fixed_masks_stay_while_another_method_trains(model_of, parameters, move, fixed, config):
    model = model_of(layers=2)
    params = parameters(model)
    packed = {path: PackedMask.of(mask) for path, mask in fixed.items()}
    adaptation = make_adaptation(AdaptationConfig(masks="run", **config), model, packed)
    plain = make_adaptation(AdaptationConfig(**config), model)
    trainable = move(adaptation.init(KEY, params))
    assert not trainable.pop("fixed")
    assert ("head" in trainable) == (config.get("head") != "masked")
    head = {} if "head" in trainable else {"head": plain.init(KEY, params)["head"]}
    expected = flatten_with_paths(plain.apply(trainable | head, params))
    trainable["fixed"] = {}
    applied = adaptation.apply(trainable, params)
    for path, leaf in flatten_with_paths(applied).items():
        np.testing.assert_array_equal(leaf, np.asarray(expected[path]) * fixed.get(path, 1))
    merged = adaptation.finalize(trainable, params).apply(params)
    jax.tree.map(lambda m, a: np.testing.assert_allclose(m, a, atol=1e-5), merged, applied)


@pytest.mark.parametrize(
    ("config", "masks"), [({}, {}), ({"method": "finetune", "masks": "run"}, None)]
)
def test_fixed_masks_must_match_the_masks_setting(model_of, config, masks):
    with pytest.raises(ValueError, match="Expected the masks of"):
        make_adaptation(AdaptationConfig(**config), model_of(), masks)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"masks": "run"}, r"adaptation.method: .* got mask"),
        ({"masks": "run", "method": "head", "head": "masked"}, r"adaptation.head: .* got masked"),
    ],
)
def test_fixed_masks_need_a_method_that_trains_weights(config, message):
    with pytest.raises(InputError, match=message):
        AdaptationConfig(**config)


def bernoulli_gradient(model, params, **config):
    """The gradient of a sum of weighted masks, and the scores, of one matrix."""
    config = AdaptationConfig(binarizer="bernoulli", initializer="uniform", sparsity=0.2, **config)
    adaptation, path = make_adaptation(config, model), "pooler/dense/kernel"
    trainable = adaptation.init(KEY, params)

    def loss(trainable):
        masked = adaptation.apply(trainable, params, key=jax.random.key(1))
        return masked["pooler"]["dense"]["kernel"].sum()

    scores, gradients = trainable["scores"][path], jax.grad(loss)(trainable)["scores"][path]
    return np.asarray(gradients), np.asarray(scores)


def test_bernoulli_gradient_is_identity_or_sigmoid_slope(model_of, parameters):
    """The identity passes the gradient of the mask, here the weight; sigmoid adds σ(1 − σ)."""
    model = model_of(layers=1)
    params = parameters(model)
    weights = np.asarray(params["pooler"]["dense"]["kernel"])
    identity, scores = bernoulli_gradient(model, params)
    np.testing.assert_array_equal(identity, weights)
    sigmoid, _ = bernoulli_gradient(model, params, bernoulli_gradient="sigmoid")
    slope = np.exp(-scores) / (1 + np.exp(-scores)) ** 2
    np.testing.assert_allclose(sigmoid, weights * slope, rtol=1e-5)


def test_bernoulli_gradient_needs_the_bernoulli_binarizer():
    with pytest.raises(InputError, match="bernoulli_gradient: expected identity"):
        AdaptationConfig(bernoulli_gradient="sigmoid")


@pytest.mark.parametrize("threshold", [0.0, -0.01])
@pytest.mark.parametrize("initializer", ["proportional", "ones", "uniform"])
def test_thresholds_up_to_zero_keep_the_initial_sparsity(
    model_of, parameters, threshold, initializer
):
    """After `maskjax import --threshold 0` the mask begins with as many zeros as requested."""
    model = model_of(layers=1)
    config = AdaptationConfig(threshold=threshold, initializer=initializer)
    adaptation, params = make_adaptation(config, model), parameters(model)
    masks = adaptation.finalize(adaptation.init(KEY, params), params).masks.values()
    dropped = np.mean(np.concatenate([~np.asarray(mask).ravel() for mask in masks]))
    expected = {"uniform": pytest.approx(0.05, abs=0.03)}.get(initializer, 0)
    assert dropped == expected


def test_thresholds_that_do_not_fit_the_start_are_refused(model_of):
    for initializer in ("magnitude", "random", "double_uniform"):
        with pytest.raises(InputError, match=f"threshold: .* of the initializer {initializer}"):
            make_adaptation(AdaptationConfig(threshold=0.0, initializer=initializer), model_of())
    with pytest.raises(InputError, match=r"threshold: expected above -0.02"):
        make_adaptation(AdaptationConfig(threshold=-0.02, initializer="uniform"), model_of())
    for threshold in (float("nan"), float("inf")):
        with pytest.raises(InputError, match=r"adaptation.threshold: expected a finite number"):
            AdaptationConfig(threshold=threshold)
