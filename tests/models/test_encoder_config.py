"""Reading config.json, against transformers' own defaults."""

import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.models import ARCHITECTURES, read_config
from maskjax.models.layers import ACTIVATIONS

ONE_TYPE = {"type_vocab_size": 1}
OTHER_SIZES = {
    "electra": {"embedding_size": 6},
    "deberta-v2": {
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_buckets": 4,
        "position_biased_input": False,
    },
    "albert": {"embedding_size": 6},
    "modernbert": {"pad_token_id": 1},
    "eurobert": {"pad_token_id": 1, "num_key_value_heads": 1},
    "gemma3_text": {
        "num_key_value_heads": 1,
        "head_dim": 6,
        "query_pre_attn_scalar": 6,
        "sliding_window": 2,  # as saved by transformers 5.15, which halves it, too
        "use_bidirectional_attention": True,
    },
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert"), ONE_TYPE),
}


def test_absent_keys_have_the_defaults_of_transformers(every_family, tiny_config):
    transformers = pytest.importorskip("transformers")
    from_file = tiny_config(every_family)
    hf = getattr(transformers, f"{ARCHITECTURES[every_family].torch_name}Config")(
        vocab_size=32,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=18,
        **({"hidden_dim": 12} if every_family == "distilbert" else {"intermediate_size": 12}),
        **OTHER_SIZES.get(every_family, {}),
    )
    assert read_config(hf.to_dict(), "transformers") == from_file


def test_roberta_positions_are_offset_by_the_padding_id(tiny_config):
    config = tiny_config("roberta", pad_token_id=3)
    assert (config.position_offset, config.max_positions) == (4, 14)


def test_distilbert_has_no_token_types(tiny_config):
    config = tiny_config("distilbert", seq_classif_dropout=0.3)
    assert (config.type_vocab_size, config.layer_norm_eps) == (0, 1e-12)
    assert config.head_dropout == 0.3


def test_head_dropout_is_hidden_dropout_unless_given(tiny_config):
    assert tiny_config("bert", hidden_dropout_prob=0.3).head_dropout == 0.3
    assert tiny_config("bert", hidden_dropout_prob=0.3, classifier_dropout=None).head_dropout == 0.3
    assert tiny_config("bert", hidden_dropout_prob=0.3, classifier_dropout=0).head_dropout == 0


@pytest.mark.parametrize(
    ("family", "changes", "message"),
    [
        ("bert", {"model_type": "gpt2"}, "model_type 'gpt2' .* bert, roberta, xlm-roberta"),
        ("bert", {"model_type": None}, "model_type None"),
        ("bert", {"model_type": ["bert"]}, "model_type ..bert.. is not supported"),
        ("bert", {"hidden_act": "mish"}, "hidden_act 'mish' .* only gelu, gelu_python"),
        ("distilbert", {"activation": "mish"}, "activation 'mish'"),
        ("electra", {"summary_type": "last"}, "summary_type 'last' .* only 'first'"),
        ("albert", {"num_hidden_layers": 4, "num_hidden_groups": 2}, "groups 2 .* only 1 or .* 4"),
        ("albert", {"num_hidden_groups": "2"}, "num_hidden_groups is .2.; expected a number"),
        ("albert", {"inner_group_num": 2}, "inner_group_num 2 .* only 1"),
        ("mpnet", {"relative_attention_num_buckets": 16}, "num_buckets 16 .* only 32"),
        ("deberta-v2", {"position_buckets": 1}, "position_buckets 1 do not fit .* less than 34"),
        ("deberta-v2", {"position_buckets": 34}, "position_buckets 34 do not .* 18; expected 2"),
        ("deberta-v2", {"position_buckets": 4.0}, "position_buckets is 4.0; expected an integer"),
        ("deberta-v2", {"pos_att_type": "p2p"}, "pos_att_type 'p2p' .* only c2p, p2c"),
        ("deberta-v2", {"pos_att_type": [["c2p"]]}, r"pos_att_type ..'c2p'.. is not supported"),
        ("deberta-v2", {"pos_att_type": None}, "pos_att_type is empty; relative_attention needs"),
        ("deberta-v2", {"norm_rel_ebd": "batch_norm"}, "norm_rel_ebd 'batch_norm' .* only none, l"),
        (
            "deberta-v2",
            {"relative_attention": False},
            "pos_att_type and norm_rel_ebd without relat",
        ),
        (
            "deberta-v2",
            {"relative_attention": 1},
            "relative_attention is 1; expected true or false",
        ),
        ("deberta-v2", {"attention_head_size": 3}, "head_size 3 contradicts .* expected 4"),
        ("deberta-v2", {"pooler_hidden_size": 9}, "pooler_hidden_size 9 contradicts .* expected 8"),
        ("deberta-v2", {"pooler_hidden_act": "mish"}, "pooler_hidden_act 'mish' .* only gelu"),
        ("deberta-v2", {"pooler_dropout": 2}, "pooler_dropout is 2; expected a rate"),
        ("deberta-v2", {"conv_kernel_size": 4}, "conv_kernel_size is 4; expected an odd number"),
        (
            "deberta-v2",
            {"conv_kernel_size": 3, "conv_groups": 3},
            "conv_groups is 3; .* divisor of 8",
        ),
        ("deberta-v2", {"conv_kernel_size": 3, "conv_act": [1]}, "conv_act .1. is not supported"),
        ("bert", {"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ("bert", {"is_decoder": True}, "is_decoder True"),
        ("roberta", {"add_cross_attention": True}, "add_cross_attention True"),
        ("bert", {"num_attention_heads": 3}, "hidden_size 8 is not a multiple of num_heads 3"),
        ("bert", {"intermediate_size": "8"}, "intermediate_size is '8'; expected an integer"),
        ("bert", {"num_hidden_layers": 0}, "num_layers is 0"),
        ("bert", {"vocab_size": True}, "vocab_size is True"),
        ("bert", {"hidden_dropout_prob": 1.0}, "hidden_dropout is 1.0; expected a rate"),
        ("bert", {"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
        ("bert", {"initializer_range": float("inf")}, "initializer_range is inf"),
        ("bert", {"pad_token_id": -1}, "pad_token_id is -1; expected an integer, 0 or more"),
        ("roberta", {"max_position_embeddings": 2}, "max_positions is 0"),
        ("roberta", {"pad_token_id": "1"}, "pad_token_id is '1'; expected an integer, 0 or more"),
        ("roberta", {"max_position_embeddings": "18"}, "max_positions is '18'"),
        ("bert", {"hidden_act": ["gelu"]}, r"hidden_act .'gelu'. is not supported"),
        ("modernbert", {"norm_bias": True}, "norm_bias True is not supported, only False"),
        ("modernbert", {"rope_scaling": {"rope_type": "yarn"}}, "rope_type 'yarn' .* only 'def"),
        (
            "modernbert",
            {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 2.0}}},
            "rope_type 'linear'",
        ),
        ("modernbert", {"rope_parameters": [1]}, "rope_parameters is .1.; expected an object"),
        ("modernbert", {"global_rope_theta": 0}, "global_rope_theta is 0; expected a number"),
        ("modernbert", {"layer_types": ["full_attention"]}, "thetas has 1 entries; .* 2 blocks"),
        ("modernbert", {"layer_types": ["causal", []]}, "layer_types: expected a list of full_"),
        ("modernbert", {"local_attention": "128"}, "local_attention is '128'; expected a number"),
        ("modernbert", {"classifier_pooling": "max"}, "classifier_pooling 'max' .* only cls, mean"),
        ("modernbert", {"classifier_pooling": ["cls"]}, r"classifier_pooling .'cls'. is not sup"),
        ("modernbert", {"num_attention_heads": 8}, "heads of 1 features cannot be rotated"),
    ],
)
def test_unsupported_configurations_are_refused(tiny_config, family, changes, message):
    with pytest.raises(InputError, match=f"^tiny: .*{message}"):
        tiny_config(family, **changes)


def test_refuses_a_missing_size(family):
    with pytest.raises(InputError, match=r"^config.json: key 'vocab_size' is missing"):
        read_config({"model_type": family}, "config.json")


def test_modernbert_reads_what_old_and_new_files_say_of_its_blocks(tiny_config):
    old = {"num_hidden_layers": 4, "local_attention": 10, "global_attn_every_n_layers": 2}
    config = tiny_config("modernbert", **old, global_rope_theta=7e4, local_rope_theta=3e4)
    assert config.windows == (0, 5, 0, 5)
    assert config.thetas == (7e4, 3e4, 7e4, 3e4)
    assert tiny_config("modernbert", **old).thetas[:2] == (160_000.0, 10_000.0)
    same = tiny_config("modernbert", **old, global_rope_theta=7e4, local_rope_theta=None)
    assert set(same.thetas) == {7e4}
    full, sliding = "full_attention", "sliding_attention"
    new = {"num_hidden_layers": 4, "layer_types": [sliding, full, full, sliding]}
    rope = {full: {"rope_type": "default", "rope_theta": 5e4}, sliding: {"rope_type": "default"}}
    config = tiny_config("modernbert", **new, rope_parameters=rope)
    assert config.windows == (64, 0, 0, 64)
    assert config.thetas == (10_000.0, 5e4, 5e4, 10_000.0)


def test_null_is_an_absent_key(tiny_config):
    assert tiny_config("bert", pad_token_id=None, hidden_dropout_prob=None) == tiny_config("bert")


@pytest.mark.parametrize(
    "name", ["gelu", "gelu_python", "gelu_new", "relu", "silu", "swish", "tanh"]
)
def test_activations_are_those_of_transformers(name, tiny_config):
    torch = pytest.importorskip("torch")
    activations = pytest.importorskip("transformers.activations")
    x = np.linspace(-4, 4, 41, dtype=np.float32)
    ours = ACTIVATIONS[tiny_config("bert", hidden_act=name).activation](jnp.asarray(x))
    theirs = activations.ACT2FN[name](torch.tensor(x))
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)


def test_with_dropout_sets_all_rates(tiny_config, family):
    config = tiny_config(family)
    rates = [name for name in vars(config) if name.endswith("_dropout")]
    assert len(rates) == 7
    assert {getattr(config.with_dropout(0.3), rate) for rate in rates} == {0.3}
    assert config.with_dropout(None) == config
