"""Random encoders and heads against transformers in PyTorch, in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from maskjax.masking import flatten_with_paths
from maskjax.models import ARCHITECTURES, build_model, load_base, swap_layout, torch_name
from maskjax.models import attention as attention_module
from maskjax.models import block as block_module
from maskjax.models import convolution as convolution_module
from maskjax.models import disentangled as disentangled_module
from maskjax.models import encoder as encoder_module
from maskjax.models import heads as heads_module
from maskjax.models import prenorm as prenorm_module
from maskjax.models.encoder import position_ids
from maskjax.models.hf_names import fused_paths

torch = pytest.importorskip("torch", reason="needs PyTorch, the oracle of these tests")
transformers = pytest.importorskip("transformers")
transformers.utils.logging.disable_progress_bar()

HEADS = {
    "classification": "ForSequenceClassification",
    "regression": "ForSequenceClassification",
    "tokens": "ForTokenClassification",
    "choice": "ForMultipleChoice",
}
OUTPUTS = {"classification": 3, "regression": 1, "tokens": 4, "choice": 2}
TOLERANCE = 1e-5
PRE_NORM = ("modernbert", "eurobert", "gemma3_text")
OF_BLOCKS = ("hidden_dropout_prob", "attention_probs_dropout_prob")
TOKEN_TYPES = {"bert": 2, "electra": 2, "albert": 2, "roberta": 1, "xlm-roberta": 1, "camembert": 1}


DEBERTA = {
    "relative_attention": True,
    "pos_att_type": ["p2c", "c2p"],
    "norm_rel_ebd": "layer_norm",
    "position_biased_input": False,
}


def make_oracle(family: str, seed: int, kind: str = "classification", **changes):
    """A model of random shape in which every parameter, biases and norms too, is random."""
    rng = np.random.default_rng(seed)
    heads = int(rng.integers(1, 5))
    shape = {
        "vocab_size": int(rng.integers(40, 90)),
        "hidden_size": heads * int(rng.integers(3, 9)),
        "num_hidden_layers": 2 if kind == "classification" else 1,  # the encoder is the same
        "num_attention_heads": heads,
        "max_position_embeddings": int(rng.integers(30, 40)),
        ("hidden_dim" if family == "distilbert" else "intermediate_size"): int(rng.integers(5, 60)),
    }
    if family not in ("distilbert", *PRE_NORM):
        shape["layer_norm_eps"] = 1e-5
    if family == "eurobert":
        heads = 2 * heads
        shape |= {"num_attention_heads": heads, "num_key_value_heads": heads // 2}
        shape |= {"bos_token_id": 2, "eos_token_id": 3}
        shape["classifier_pooling"] = ("late", "bos", "mean")[seed % 3]
    if family == "gemma3_text":
        shape |= {"num_key_value_heads": 1, "hidden_activation": "gelu_pytorch_tanh"}
        shape |= {"head_dim": 6, "query_pre_attn_scalar": 6, "use_bidirectional_attention": True}
        # Half of it and one is 2 again, however often transformers 5.15 saves and halves it.
        shape |= {"sliding_window": 2, "num_hidden_layers": 2}
        shape["layer_types"] = ["sliding_attention", "full_attention"]
        shape |= {"bos_token_id": 2, "eos_token_id": 3}
    if family in PRE_NORM:
        shape["hidden_size"] = heads * 2 * int(rng.integers(2, 5))
    if family == "modernbert":
        shape["num_hidden_layers"] = 2  # the second one has the window
        shape["local_attention"] = 6
        shape["classifier_pooling"] = ("cls", "mean")[seed % 2]
    if family in TOKEN_TYPES:
        shape["type_vocab_size"] = TOKEN_TYPES[family]
    if family == "deberta-v2":
        shape |= DEBERTA | {"position_buckets": (8, -1)[seed % 2], "share_att_key": seed % 2 == 0}
    if family == "albert":
        shape["num_hidden_layers"] = 3
    if family in ("electra", "albert"):
        shape["embedding_size"] = int(rng.integers(5, 20))
    pad = 1 if family == "mpnet" else int(rng.integers(0, 5))
    oracle = getattr(transformers, ARCHITECTURES[family].torch_name + HEADS[kind])
    shape |= {"pad_token_id": pad, "num_labels": OUTPUTS[kind], "attn_implementation": "eager"}
    config = oracle.config_class(**(shape | changes))
    torch.manual_seed(seed)
    model = oracle(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_scale = "norm" in name.lower() and name.endswith("weight")
            is_scale &= family != "gemma3_text"  # stores what is added to one
            parameter.normal_(float(is_scale), 0.2)
    return model


def make_inputs(config, seed: int) -> dict[str, np.ndarray]:
    """Rows of several lengths, padded at the end, one at the start, with token types."""
    rng = np.random.default_rng(seed)
    batch, seq = 6, 17
    lengths = np.array([seq, 11, 5, 2, 7, 9])
    mask = np.arange(seq)[None, :] < lengths[:, None]
    mask[-1] = mask[-1, ::-1]
    tokens = rng.integers(0, config.vocab_size - 1, (batch, seq))
    tokens += tokens >= config.pad_token_id  # no token is padding
    types = (np.arange(seq)[None, :] > 4) & mask
    return {
        "input_ids": np.where(mask, tokens, config.pad_token_id).astype(np.int32),
        "attention_mask": mask.astype(np.int32),
        "token_type_ids": types.astype(np.int32),
    }


def torch_inputs(family: str, kind: str, inputs: dict[str, np.ndarray]) -> dict:
    unused = () if family in ("bert", "electra", "albert") else ("token_type_ids",)
    shape = (-1, OUTPUTS["choice"], 17) if kind == "choice" else (-1, 17)
    return {
        name: torch.tensor(value.astype(np.int64).reshape(shape))
        for name, value in inputs.items()
        if name not in unused
    }


def to_params(model, oracle, family: str):
    """Takes the weights of the oracle's head and base as parameters, by name."""
    prefix = oracle.base_model_prefix
    state = {name.removeprefix(f"{prefix}."): value for name, value in oracle.state_dict().items()}
    flat = {}
    for path in flatten_with_paths(model.abstract):
        flat[path] = jnp.asarray(swap_layout(path, part_of(state, path, family).numpy()))
    return nest(flat)


def part_of(state: dict, path: str, family: str):
    """The tensor of a path, which may be some rows of a fused one."""
    paths = fused_paths(path, family)
    return state[torch_name(path, family)].chunk(len(paths))[paths.index(path)]


def nest(flat: dict) -> dict:
    tree: dict = {}
    for path, leaf in flat.items():
        *parents, name = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[name] = leaf
    return tree


def assert_close(ours, oracle) -> None:
    difference = np.abs(np.asarray(ours) - oracle.detach().numpy())
    assert difference.max() <= TOLERANCE


@pytest.mark.parametrize("kind", HEADS)
def test_random_models_match_transformers(every_family, kind, tmp_path):
    if kind in ARCHITECTURES[every_family].without_class:
        pytest.skip("transformers has no such class")
    seed = list(HEADS).index(kind)
    oracle = make_oracle(every_family, seed, kind)
    oracle.save_pretrained(tmp_path)
    base = load_base(tmp_path)
    model = build_model(base.config, OUTPUTS[kind], kind=kind)
    inputs = make_inputs(base.config, seed)
    with torch.no_grad():
        expected = oracle(**torch_inputs(every_family, kind, inputs), output_hidden_states=True)

    params = to_params(model, oracle, every_family)
    for path, leaf in flatten_with_paths(base.params).items():
        np.testing.assert_array_equal(leaf, flatten_with_paths(params)[path])
    run = jax.jit(lambda p: (model.hidden_states(p, inputs), model.apply(p, inputs)))
    states, logits = run(params)
    # Under a window, what padding attends to may differ; no token sees it.
    seen = inputs["attention_mask"] > 0 if base.config.windows else np.ones((6, 17), bool)
    for ours, theirs in zip(states, expected.hidden_states, strict=True):
        assert_close(ours[seen], theirs[seen])
    rows = {"tokens": seen, "choice": seen[::2, 0] & seen[1::2, 0]}.get(kind, seen[:, 0])
    assert_close(logits[rows], expected.logits[rows])


def test_gradients_match_pytorch(family, tmp_path):
    oracle = make_oracle(family, 2)
    oracle.save_pretrained(tmp_path)
    model = build_model(load_base(tmp_path).config, 3)
    # Not the row that begins with padding: PyTorch never gives the padding row a gradient.
    inputs = {name: value[:5] for name, value in make_inputs(model.config, 2).items()}
    labels = np.array([0, 1, 2, 1, 0])
    logits = oracle(**torch_inputs(family, "classification", inputs)).logits
    torch.nn.functional.cross_entropy(logits, torch.tensor(labels)).backward()

    def loss(params):
        logits = model.apply(params, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.asarray(labels)).mean()

    grads = flatten_with_paths(jax.jit(jax.grad(loss))(to_params(model, oracle, family)))
    prefix = f"{oracle.base_model_prefix}."
    theirs = {name.removeprefix(prefix): p.grad for name, p in oracle.named_parameters()}
    assert {torch_name(path, family) for path in grads} == theirs.keys()
    for path, ours in grads.items():
        assert_close(swap_layout(path, ours), part_of(theirs, path, family))


@pytest.mark.parametrize("kind", ["classification", "tokens", "choice"])
def test_dropout_is_applied_where_transformers_applies_it(family, kind, tmp_path, monkeypatch):
    names = {
        "distilbert": ("dropout", "attention_dropout", "seq_classif_dropout"),
        "modernbert": ("mlp_dropout", "attention_dropout", "classifier_dropout"),
        "eurobert": ("attention_dropout",),
        "gemma3_text": ("attention_dropout",),
        "albert": (*OF_BLOCKS, "classifier_dropout_prob"),
    }.get(family, (*OF_BLOCKS, "classifier_dropout"))
    if kind in ARCHITECTURES[family].without_class:
        pytest.skip("transformers has no such class")
    changes = dict(zip(names, (0.1, 0.2, 0.3), strict=False))
    if family == "modernbert":  # no sequence is cut into blocks, whose scores are of another number
        changes |= {"embedding_dropout": 0.1, "local_attention": 34}
    if family == "gemma3_text":
        changes["sliding_window"] = 34
    if family == "deberta-v2":  # with embeddings of no distances that the rows do not have
        changes |= {"cls_dropout": changes.pop("classifier_dropout"), "pooler_dropout": 0.4}
        changes |= {"position_buckets": -1, "max_relative_positions": 9, "conv_kernel_size": 3}
    oracle = make_oracle(family, 4, kind, **changes)
    oracle.save_pretrained(tmp_path)
    config = load_base(tmp_path).config
    inputs = make_inputs(config, 4)

    theirs = []
    torch_dropout = torch.nn.functional.dropout

    def record_torch(x, p=0.5, training=True, inplace=False):
        if p:
            theirs.append((p, x.numel()))
        return torch_dropout(x, p, training, inplace)

    monkeypatch.setattr(torch.nn.functional, "dropout", record_torch)
    oracle.train()(**torch_inputs(family, kind, inputs))

    ours, keys = [], []

    def record(x, rate, key):
        if rate:
            ours.append((rate, x.size))
            keys.append(jax.random.key_data(key))
        return x

    modules = (attention_module, block_module, convolution_module, disentangled_module)
    for module in (*modules, encoder_module, heads_module, prenorm_module):
        monkeypatch.setattr(module, "dropout", record)
    model = build_model(config, OUTPUTS[kind], kind=kind)

    @jax.jit
    def run(key):
        model.apply(to_params(model, oracle, family), inputs, key=key)
        return jnp.stack(keys)

    drawn = np.asarray(run(jax.random.key(0)))
    assert ours == theirs
    assert len(np.unique(drawn, axis=0)) == len(theirs)  # no two places share their randomness


@pytest.mark.parametrize("pad", [0, 1, 7])
def test_roberta_position_ids_match_transformers(pad, tiny_config):
    from transformers.models.roberta.modeling_roberta import RobertaEmbeddings

    ids = np.random.default_rng(pad).integers(0, 8, (20, 11)).astype(np.int32)
    expected = RobertaEmbeddings.create_position_ids_from_input_ids(torch.tensor(ids), pad)
    config = tiny_config("roberta", pad_token_id=pad)
    np.testing.assert_array_equal(position_ids(jnp.asarray(ids), config), expected)
