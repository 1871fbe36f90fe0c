"""Reading config.json, against transformers' own defaults."""

import dataclasses

import pytest

from maskjax.errors import InputError
from maskjax.models import EncoderConfig

CLASSES = {"bert": "BertConfig", "roberta": "RobertaConfig", "distilbert": "DistilBertConfig"}


def test_absent_keys_have_the_defaults_of_transformers(family, tiny_config):
    transformers = pytest.importorskip("transformers")
    from_file = tiny_config(family)
    given = {"bert": (), "roberta": ("type_vocab_size",), "distilbert": ()}[family]
    sizes = dataclasses.asdict(from_file)
    hf = getattr(transformers, CLASSES[family])(
        vocab_size=32,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=18,
        **({"hidden_dim": 12} if family == "distilbert" else {"intermediate_size": 12}),
        **{key: sizes[key] for key in given},
    )
    assert EncoderConfig.from_hf(hf.to_dict(), "transformers") == from_file


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
        ("bert", {"model_type": "gpt2"}, "model_type 'gpt2' .* bert, roberta, distilbert"),
        ("bert", {"model_type": None}, "model_type None"),
        ("bert", {"model_type": ["bert"]}, "model_type ..bert.. is not supported"),
        ("bert", {"hidden_act": "gelu_new"}, "hidden_act 'gelu_new' .* only 'gelu'"),
        ("distilbert", {"activation": "relu"}, "activation 'relu'"),
        ("bert", {"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ("bert", {"is_decoder": True}, "is_decoder True"),
        ("roberta", {"add_cross_attention": True}, "add_cross_attention True"),
        ("bert", {"num_attention_heads": 3}, "hidden_size 8 is not a multiple of num_heads 3"),
        ("bert", {"hidden_size": "8"}, "hidden_size is '8'; expected an integer above 0"),
        ("bert", {"num_hidden_layers": 0}, "num_layers is 0"),
        ("bert", {"vocab_size": True}, "vocab_size is True"),
        ("bert", {"hidden_dropout_prob": 1.0}, "hidden_dropout is 1.0; expected a rate"),
        ("bert", {"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
        ("bert", {"initializer_range": float("inf")}, "initializer_range is inf"),
        ("bert", {"pad_token_id": None}, "pad_token_id is None; expected an integer, 0 or more"),
        ("roberta", {"max_position_embeddings": 2}, "max_positions is 0"),
    ],
)
def test_unsupported_configurations_are_refused(tiny_config, family, changes, message):
    with pytest.raises(InputError, match=f"^tiny: .*{message}"):
        tiny_config(family, **changes)


def test_refuses_a_missing_size(family):
    with pytest.raises(InputError, match=r"^config.json: key 'vocab_size' is missing"):
        EncoderConfig.from_hf({"model_type": family}, "config.json")


def test_refuses_an_unknown_family_in_code(tiny_config):
    with pytest.raises(InputError, match="family is 'gpt2'"):
        dataclasses.replace(tiny_config("bert"), family="gpt2")


def test_with_dropout_sets_all_rates(tiny_config, family):
    config = tiny_config(family)
    rates = ("hidden_dropout", "attention_dropout", "head_dropout")
    assert {getattr(config.with_dropout(0.3), rate) for rate in rates} == {0.3}
    assert config.with_dropout(None) == config
