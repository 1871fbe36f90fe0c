"""The heads of all families and kinds: their leaves, how they are drawn, what they compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking import flatten_with_paths
from maskjax.models import ARCHITECTURES, build_model, head_paths, init_head, load_base, with_head

KINDS = ("classification", "regression", "tokens", "choice")
FAMILIES = tuple(ARCHITECTURES)
# The matrices that are drawn at random, for three outputs.
ROBERTA_CLASSIFIER = {"classifier/dense": (8, 8), "classifier/out_proj": (8, 3)}
PRE_CLASSIFIER = {"pre_classifier": (8, 8), "classifier": (8, 3)}
HEAD = {
    ("bert", "choice"): {"classifier": (8, 1)},
    ("modernbert", "choice"): {"classifier": (8, 1)},
    ("deberta-v2", "choice"): {"pooler/dense": (8, 8), "classifier": (8, 1)},
    ("albert", "choice"): {"classifier": (8, 1)},
    ("eurobert", "choice"): {"pre_classifier": (8, 8), "classifier": (8, 1)},
    ("gemma3_text", "choice"): {"classifier": (8, 1)},
    ("distilbert", "choice"): {"pre_classifier": (8, 8), "classifier": (8, 1)},
    ("electra", "choice"): {"sequence_summary/summary": (8, 8), "classifier": (8, 1)},
}
for name in ("roberta", "xlm-roberta", "camembert", "mpnet", "electra"):
    HEAD[name, "classification"] = HEAD[name, "regression"] = ROBERTA_CLASSIFIER
    HEAD.setdefault((name, "choice"), {"pooler/dense": (8, 8), "classifier": (8, 1)})
for name in FAMILIES:
    HEAD[name, "tokens"] = {"classifier": (8, 3)}
for type_of_task in ("classification", "regression"):
    for name in ("bert", "albert", "modernbert"):
        HEAD[name, type_of_task] = {"classifier": (8, 3)}
    HEAD["deberta-v2", type_of_task] = {"pooler/dense": (8, 8), "classifier": (8, 3)}
    HEAD["distilbert", type_of_task] = HEAD["eurobert", type_of_task] = PRE_CLASSIFIER
    HEAD["gemma3_text", type_of_task] = {"classifier": (8, 3)}
WITHOUT_BIAS = {("gemma3_text", "classification"), ("gemma3_text", "regression")}


def modernbert_shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Biases are in the last layer only, and the first block has one norm."""
    kernels = {"pooler/dense": (8, 8), "classifier": (8, 1 if kind == "choice" else 3)}
    norms = ["embeddings/LayerNorm", "encoder/LayerNorm", "pooler/LayerNorm"]
    norms += ["encoder/layer/1/attention/LayerNorm"]
    for block in ("encoder/layer/0", "encoder/layer/1"):
        norms.append(f"{block}/intermediate/LayerNorm")
        for part in ("self/query", "self/key", "self/value", "output/dense"):
            kernels[f"{block}/attention/{part}"] = (8, 8)
        for part in ("intermediate/dense", "intermediate/gate"):
            kernels[f"{block}/{part}"] = (8, 12)
        kernels[f"{block}/output/dense"] = (12, 8)
    shapes = {f"{path}/kernel": shape for path, shape in kernels.items()}
    shapes |= {f"{path}/scale": (8,) for path in norms}
    shapes["embeddings/word_embeddings/embedding"] = (32, 8)
    return shapes | {"classifier/bias": kernels["classifier"][1:]}


def eurobert_shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Biases are in the head only, and keys and values have one head."""
    shapes = {"embeddings/word_embeddings/embedding": (32, 8), "encoder/LayerNorm/scale": (8,)}
    for block in ("encoder/layer/0", "encoder/layer/1"):
        shapes[f"{block}/attention/LayerNorm/scale"] = (8,)
        shapes[f"{block}/intermediate/LayerNorm/scale"] = (8,)
        for part, size in {"query": 8, "key": 4, "value": 4}.items():
            shapes[f"{block}/attention/self/{part}/kernel"] = (8, size)
        shapes[f"{block}/attention/output/dense/kernel"] = (8, 8)
        for part in ("dense", "gate"):
            shapes[f"{block}/intermediate/{part}/kernel"] = (8, 12)
        shapes[f"{block}/output/dense/kernel"] = (12, 8)
    for module, shape in HEAD["eurobert", kind].items():
        shapes |= {f"{module}/kernel": shape, f"{module}/bias": shape[1:]}
    return shapes


def gemma3_shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Two heads of six features, and norms before and after each half."""
    shapes = {"embeddings/word_embeddings/embedding": (32, 8), "encoder/LayerNorm/scale": (8,)}
    for block in ("encoder/layer/0", "encoder/layer/1"):
        for half in ("attention", "attention/output", "intermediate", "output"):
            shapes[f"{block}/{half}/LayerNorm/scale"] = (8,)
        for part, size in {"query": 12, "key": 6, "value": 6}.items():
            shapes[f"{block}/attention/self/{part}/kernel"] = (8, size)
        for norm in ("query_norm", "key_norm"):
            shapes[f"{block}/attention/self/{norm}/scale"] = (6,)
        shapes[f"{block}/attention/output/dense/kernel"] = (12, 8)
        for part in ("dense", "gate"):
            shapes[f"{block}/intermediate/{part}/kernel"] = (8, 12)
        shapes[f"{block}/output/dense/kernel"] = (12, 8)
    shapes["classifier/kernel"] = HEAD["gemma3_text", kind]["classifier"]
    has_bias = ("gemma3_text", kind) not in WITHOUT_BIAS
    return shapes | ({"classifier/bias": shapes["classifier/kernel"][1:]} if has_bias else {})


def expected_shapes(family: str, kind: str) -> dict[str, tuple[int, ...]]:
    """Spells out the canonical paths of a tiny model with three outputs."""
    if family == "modernbert":
        return modernbert_shapes(kind)
    if family == "eurobert":
        return eurobert_shapes(kind)
    if family == "gemma3_text":
        return gemma3_shapes(kind)
    width = 6 if family in ("electra", "albert") else 8
    rows = {"word_embeddings": 32, "position_embeddings": 18}
    if family == "deberta-v2":
        del rows["position_embeddings"]
    elif family not in ("distilbert", "mpnet"):
        rows["token_type_embeddings"] = 2 if family in ("bert", "electra", "albert") else 1
    shapes = {f"embeddings/{name}/embedding": (count, width) for name, count in rows.items()}
    shapes |= {f"embeddings/LayerNorm/{leaf}": (width,) for leaf in ("scale", "bias")}
    if family == "mpnet":
        shapes["encoder/relative_attention_bias/embedding"] = (32, 2)
    if family == "deberta-v2":
        shapes["encoder/rel_embeddings/embedding"] = (8, 8)
        shapes["encoder/LayerNorm/scale"] = shapes["encoder/LayerNorm/bias"] = (8,)
    dense = dict(HEAD[family, kind])
    if family in ("bert", "albert") and kind != "tokens":
        dense["pooler/dense"] = (8, 8)
    if family in ("electra", "albert"):
        dense["embeddings_project"] = (6, 8)
    norms = []
    for i in range(1 if family == "albert" else 2):
        block = f"encoder/layer/{i}"
        norms += [f"{block}/attention/output/LayerNorm", f"{block}/output/LayerNorm"]
        for part in ("self/query", "self/key", "self/value", "output/dense"):
            dense[f"{block}/attention/{part}"] = (8, 8)
        dense |= {f"{block}/intermediate/dense": (8, 12), f"{block}/output/dense": (12, 8)}
    shapes |= {f"{path}/{leaf}": (8,) for path in norms for leaf in ("scale", "bias")}
    shapes |= {f"{path}/kernel": shape for path, shape in dense.items()}
    shapes |= {f"{path}/bias": shape[1:] for path, shape in dense.items()}
    return shapes


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_have_the_expected_paths_and_shapes(family, kind, tiny_config):
    leaves = flatten_with_paths(build_model(tiny_config(family), 3, kind=kind).abstract)
    assert {path: leaf.shape for path, leaf in leaves.items()} == expected_shapes(family, kind)
    assert {leaf.dtype for leaf in leaves.values()} == {jnp.dtype("float32")}


@pytest.mark.parametrize("kind", KINDS)
def test_head_paths_are_the_leaves_of_the_head(family, kind, tiny_config):
    of_module = ("kernel",) if (family, kind) in WITHOUT_BIAS else ("kernel", "bias")
    leaves = [f"{name}/{leaf}" for name in HEAD[family, kind] for leaf in of_module]
    assert head_paths(build_model(tiny_config(family), 3, kind=kind)) == tuple(sorted(leaves))


@pytest.mark.parametrize("kind", KINDS)
def test_with_head_adds_only_the_head(family, kind, checkpoint, tmp_path):
    base = load_base(checkpoint(family).write(tmp_path))
    model = build_model(base.config, 3, kind=kind)
    leaves = flatten_with_paths(with_head(base.params, model, jax.random.key(0)))
    shapes = {path: leaf.shape for path, leaf in leaves.items()}
    assert shapes == expected_shapes(family, kind)
    pretrained = flatten_with_paths(base.params)
    for path in shapes.keys() - set(head_paths(model)):
        assert leaves[path] is pretrained[path]


def test_a_bert_without_pooler_draws_one(checkpoint, tiny_inputs, tmp_path):
    source = checkpoint("bert")
    source.tensors = {n: t for n, t in source.tensors.items() if not n.startswith("pooler")}
    source.tensors |= {"classifier.weight": np.zeros((5, 8)), "qa_outputs.bias": np.zeros(2)}
    base = load_base(source.write(tmp_path))
    model = build_model(base.config, 3)
    assert "pooler/dense/kernel" in head_paths(model)
    params = with_head(base.params, model, jax.random.key(0))
    assert np.any(params["pooler"]["dense"]["kernel"])
    assert jax.jit(model.apply)(params, tiny_inputs).shape == (3, 3)
    assert head_paths(build_model(base.config, 3, kind="tokens"))[0] == "classifier/bias"


@pytest.fixture
def complete(family, checkpoint, tmp_path):
    """Makes a model of a kind, of three outputs, and its parameters: a checkpoint's and a head."""

    def make(kind):
        base = load_base(checkpoint(family).write(tmp_path))
        model = build_model(base.config, 3, kind=kind)
        return model, with_head(base.params, model, jax.random.key(0))

    return make


def test_choices_of_a_row_are_adjacent(complete, tiny_inputs):
    model, params = complete("choice")
    order = np.array([0, 1, 2, 2, 0, 1])
    inputs = {name: value[order] for name, value in tiny_inputs.items()}
    logits = np.asarray(jax.jit(model.apply)(params, inputs))
    assert logits.shape == (2, 3)
    assert len(np.unique(logits[0])) == 3
    np.testing.assert_allclose(logits[1], logits[0, [2, 0, 1]], rtol=1e-4)


def test_each_token_has_logits_of_its_own(complete, tiny_inputs):
    model, params = complete("tokens")
    run = jax.jit(lambda p: (model.apply(p, tiny_inputs), model.hidden_states(p, tiny_inputs)[-1]))
    logits, last = run(params)
    head = {name: np.asarray(leaf) for name, leaf in params["classifier"].items()}
    if "pooler" not in params:  # ModernBERT's is compared with transformers elsewhere
        expected = np.asarray(last) @ head["kernel"] + head["bias"]
        np.testing.assert_allclose(logits, expected, atol=1e-6)
    shuffled = {name: value[:, ::-1] for name, value in tiny_inputs.items()}
    assert not np.allclose(jax.jit(model.apply)(params, shuffled), logits)
    assert logits.shape == (3, 7, 3)
    assert logits.dtype == jnp.float32


def test_init_head_follows_the_seed(family, tiny_config):
    model = build_model(tiny_config(family), 3)
    heads = [flatten_with_paths(init_head(model, jax.random.key(seed))) for seed in (0, 0, 1)]
    for path in head_paths(model):
        np.testing.assert_array_equal(heads[0][path], heads[1][path])
        changes = bool(np.any(heads[0][path] != heads[2][path]))
        assert changes == path.endswith("kernel")


def test_init_head_has_the_published_scale(tiny_config):
    config = tiny_config("roberta", hidden_size=256, num_attention_heads=4, initializer_range=0.3)
    head = flatten_with_paths(init_head(build_model(config, 256), jax.random.key(0)))
    dense, out_proj = head["classifier/dense/kernel"], head["classifier/out_proj/kernel"]
    for kernel in (dense, out_proj):
        assert abs(float(kernel.std()) - 0.3) < 0.01
        assert abs(float(kernel.mean())) < 0.01
    assert abs(np.corrcoef(dense.ravel(), out_proj.ravel())[0, 1]) < 0.02  # a key per leaf
    assert not np.any(head["classifier/dense/bias"])
    assert {leaf.dtype for leaf in head.values()} == {jnp.dtype("float32")}


def test_init_head_keeps_a_leaf_when_another_changes(tiny_config):
    config = tiny_config("distilbert")
    two, five = (init_head(build_model(config, n), jax.random.key(0)) for n in (2, 5))
    np.testing.assert_array_equal(two["pre_classifier"]["kernel"], five["pre_classifier"]["kernel"])
