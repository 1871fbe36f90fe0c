"""Every token id of a base's tokenizer has an embedding: nothing is left to clamping."""

import json

import pytest

from maskjax.errors import InputError
from maskjax.models import Base, read_config
from maskjax.tasks import load_base_tokenizer
from maskjax.tasks.tokenizer_convert import load_with_transformers

SHAPE = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1}
SHAPE |= {"intermediate_size": 4, "max_position_embeddings": 8, "model_type": "bert"}


def base_of(folder, rows):
    config = read_config({"vocab_size": rows, **SHAPE}, "config.json")
    return Base(config, {}, "base", None, folder)


def test_one_embedding_per_token_is_enough(bert_folder):
    for rows in (10, 11):  # checkpoints are often padded
        assert len(load_base_tokenizer(base_of(bert_folder, rows))) == 10
    with pytest.raises(InputError, match="has 10 tokens and the model 9; they are not of the"):
        load_base_tokenizer(base_of(bert_folder, 9))


@pytest.mark.parametrize("kind", ["classification", "tokens"])
def test_added_tokens_need_embeddings(bert_folder, kind, tmp_path):
    tokenizer = load_with_transformers(bert_folder)
    tokenizer.add_tokens(["[usr]", "[url]"])
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has 12 tokens and the model 10"):
        load_base_tokenizer(base_of(tmp_path, 10), kind)
    assert len(load_base_tokenizer(base_of(tmp_path, 12), kind)) == 12


def test_ids_with_gaps_count_by_the_largest(bert_folder, tmp_path):
    values = save_json(bert_folder, tmp_path)
    values["model"]["vocab"]["e"] = 40
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="has 41 tokens and the model 10"):
        load_base_tokenizer(base_of(tmp_path, 10))


def test_special_tokens_of_the_post_processor_count(bert_folder, tmp_path):
    """The post-processor has its own ids of [CLS] and [SEP]."""
    values = save_json(bert_folder, tmp_path)
    values["post_processor"]["special_tokens"]["[SEP]"]["ids"] = [77]
    # The class of BERT makes its own.
    generic = '{"tokenizer_class": "PreTrainedTokenizerFast"}'
    (tmp_path / "tokenizer_config.json").write_text(generic)
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match="has 78 tokens and the model 10"):
        load_base_tokenizer(base_of(tmp_path, 10))


def save_json(folder, out):
    load_with_transformers(folder).save_pretrained(out)
    return json.loads((out / "tokenizer.json").read_text())
