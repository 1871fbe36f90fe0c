"""Reading safetensors checkpoints, good and bad, against the arrays that were written."""

import json
import re

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.models import ARCHITECTURES, load_base

QUERY = "encoder.layer.1.attention.self.query.weight"
INDEX = "model.safetensors.index.json"


def leaves(folder) -> dict:
    return flatten_with_paths(load_base(folder).params)


def assert_same_leaves(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for path, leaf in expected.items():
        np.testing.assert_array_equal(found[path], leaf)


def write_shards(checkpoint, folder) -> list[str]:
    """Writes two shards and their index; returns the names of the shards."""
    checkpoint.write(folder)
    (folder / "model.safetensors").unlink()
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    weight_map = {key: names[i % 2] for i, key in enumerate(checkpoint.tensors)}
    for name in names:
        part = {k: v for k, v in checkpoint.tensors.items() if weight_map[k] == name}
        save_file(part, folder / name)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")
    return names


def test_fills_every_leaf_in_float32(family, checkpoint, tmp_path):
    source = checkpoint(family)
    found = leaves(source.write(tmp_path))
    fused = sum(
        2 * name.endswith("Wqkv.weight") + name.endswith("Wi.weight") for name in source.tensors
    )
    assert len(found) == len(source.tensors) + fused
    assert {leaf.dtype for leaf in found.values()} == {np.dtype("float32")}
    expected = sum(
        float(np.abs(tensor).sum(dtype=np.float64)) for tensor in source.tensors.values()
    )
    total = sum(
        float(np.abs(leaf).sum(dtype=np.float64)) for leaf in map(np.asarray, found.values())
    )
    np.testing.assert_allclose(total, expected)


def test_kernels_are_transposed_and_tables_are_not(checkpoint, tmp_path):
    source = checkpoint("bert")
    found = leaves(source.write(tmp_path))
    np.testing.assert_array_equal(
        found["encoder/layer/1/intermediate/dense/kernel"],
        source.tensors["encoder.layer.1.intermediate.dense.weight"].T,
    )
    np.testing.assert_array_equal(
        found["embeddings/word_embeddings/embedding"],
        source.tensors["embeddings.word_embeddings.weight"],
    )


def test_distilbert_names_map_to_canonical_paths(checkpoint, tmp_path):
    source = checkpoint("distilbert")
    found = leaves(source.write(tmp_path))
    for path, name in {
        "encoder/layer/1/attention/self/query/kernel": "attention.q_lin.weight",
        "encoder/layer/1/attention/self/key/kernel": "attention.k_lin.weight",
        "encoder/layer/1/attention/self/value/kernel": "attention.v_lin.weight",
        "encoder/layer/1/attention/output/dense/kernel": "attention.out_lin.weight",
        "encoder/layer/1/attention/output/LayerNorm/scale": "sa_layer_norm.weight",
        "encoder/layer/1/intermediate/dense/kernel": "ffn.lin1.weight",
        "encoder/layer/1/output/dense/kernel": "ffn.lin2.weight",
        "encoder/layer/1/output/LayerNorm/bias": "output_layer_norm.bias",
    }.items():
        np.testing.assert_array_equal(found[path], source.tensors[f"transformer.layer.1.{name}"].T)


def test_prefix_and_other_heads_change_nothing(every_family, checkpoint, tmp_path):
    plain = checkpoint(every_family)
    expected = leaves(plain.write(tmp_path / "plain"))
    roberta = ("lm_head.dense.weight", "pooler.dense.weight", "classifier.out_proj.bias")
    extra = {
        "bert": ("embeddings.position_ids", "cls.predictions.bias", "classifier.weight"),
        "distilbert": ("vocab_projector.bias", "pre_classifier.weight", "classifier.bias"),
        "electra": ("discriminator_predictions.dense.weight", "classifier.out_proj.bias"),
        "modernbert": ("decoder.bias", "decoder.weight", "classifier.weight"),
        "eurobert": ("lm_head.weight", "dense.weight", "classifier.bias"),
        "gemma3_text": ("lm_head.weight", "score.weight"),
        "deberta-v2": (
            *("cls.predictions.bias", "lm_predictions.lm_head.dense.weight"),
            *("mask_predictions.dense.weight", "pooler.dense.weight", "classifier.bias"),
            "deberta.embeddings.position_embeddings.weight",
        ),
        "albert": ("predictions.decoder.weight", "sop_classifier.classifier.bias"),
    }.get(every_family, roberta)
    if every_family not in ("modernbert", "eurobert", "gemma3_text"):
        extra += ("qa_outputs.weight", "qa_outputs.bias")
    full = checkpoint(every_family)
    prefix = ARCHITECTURES[every_family].prefix
    full.tensors = {f"{prefix}.{name}": tensor for name, tensor in full.tensors.items()}
    full.tensors |= {name: np.zeros(3, np.int64) for name in extra}
    assert_same_leaves(leaves(full.write(tmp_path / "full")), expected)


def test_gamma_and_beta_are_old_names_of_layer_norm(checkpoint, tmp_path):
    source = checkpoint("bert")
    expected = leaves(source.write(tmp_path / "new"))
    source.tensors = {
        re.sub(
            "LayerNorm.bias", "LayerNorm.beta", re.sub("LayerNorm.weight", "LayerNorm.gamma", k)
        ): v
        for k, v in source.tensors.items()
    }
    assert "encoder.layer.0.output.LayerNorm.gamma" in source.tensors
    assert_same_leaves(leaves(source.write(tmp_path / "old")), expected)


def test_shards_equal_the_single_file(family, checkpoint, tmp_path):
    source = checkpoint(family)
    expected = leaves(source.write(tmp_path / "whole"))
    write_shards(source, tmp_path / "shards")
    assert_same_leaves(leaves(tmp_path / "shards"), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, ml_dtypes.bfloat16])
def test_other_precisions_become_float32(checkpoint, tmp_path, dtype):
    source = checkpoint("bert")
    source.tensors = {name: tensor.astype(dtype) for name, tensor in source.tensors.items()}
    found = leaves(source.write(tmp_path))["encoder/layer/1/attention/self/query/kernel"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, source.tensors[QUERY].astype(np.float32).T)


def test_a_tied_tensor_is_read_under_its_other_name(checkpoint, tmp_path):
    """`save_model` of safetensors stores one of the names and notes the other."""
    source = checkpoint("bert")
    expected = leaves(source.write(tmp_path / "plain"))
    tied, stored = "embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"
    tensors = dict(source.tensors)
    tensors[stored] = tensors.pop(tied)
    folder = source.write(tmp_path / "tied")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt", tied: stored})
    assert_same_leaves(leaves(folder), expected)


@pytest.mark.parametrize("clue", ["class", "prefix", "shape"])
def test_an_absent_model_type_is_settled_by_names(clue, every_family, checkpoint, tmp_path):
    source = checkpoint(every_family)
    expected = leaves(source.write(tmp_path / "plain"))
    del source.config["model_type"]
    if clue == "class":
        source.config["architectures"] = [f"{ARCHITECTURES[every_family].torch_name}ForMaskedLM"]
    prefix = ARCHITECTURES[every_family].prefix
    if clue == "prefix":
        source.tensors = {f"{prefix}.{name}": value for name, value in source.tensors.items()}
    folder = source.write(tmp_path / "untyped")
    is_settled = {
        "class": True,
        "prefix": prefix == every_family != "roberta" or prefix in ("model", "deberta"),
        "shape": every_family not in ("roberta", "xlm-roberta", "camembert", "electra"),
    }[clue]
    if is_settled:
        assert load_base(folder).config.family == every_family
        assert_same_leaves(leaves(folder), expected)
    elif (clue, every_family) != ("shape", "electra"):  # has the shape of a BERT without pooler
        with pytest.raises(
            InputError, match=r"config.json: key 'model_type' is missing.*add one of"
        ):
            load_base(folder)


def test_error_lists_all_problems(checkpoint, tmp_path):
    source = checkpoint("bert")
    source.tensors["surprise.weight"] = np.zeros(2, np.float32)
    source.tensors[QUERY] = np.zeros((8, 9), np.float32)
    source.tensors["pooler.dense.bias"] = np.zeros(8, np.int8)
    del source.tensors["embeddings.LayerNorm.bias"]
    with pytest.raises(InputError) as error:
        load_base(source.write(tmp_path))
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'model.safetensors'} is no bert checkpoint: ")
    for problem in (
        "surprise.weight is unexpected",
        f"{QUERY} has shape [8, 9], expected [8, 8]",
        "pooler.dense.bias has dtype I8, expected F64 or F32 or F16 or BF16",
        "embeddings.LayerNorm.bias is missing",
    ):
        assert problem in message
    assert message.count(";") == 3
    assert "\n" not in message


def test_refuses_a_duplicate_tensor(checkpoint, tmp_path):
    source = checkpoint("bert")
    source.tensors[f"bert.{QUERY}"] = source.tensors[QUERY]
    with pytest.raises(InputError, match=f"{QUERY} and bert.{QUERY} are the same tensor"):
        load_base(source.write(tmp_path))


def test_half_a_pooler_is_refused(checkpoint, tmp_path):
    source = checkpoint("bert")
    del source.tensors["pooler.dense.weight"]
    with pytest.raises(InputError, match=r"pooler.dense.weight is missing"):
        load_base(source.write(tmp_path))


def test_head_of_another_family_is_refused(checkpoint, tmp_path):
    source = checkpoint("bert")
    source.tensors["lm_head.bias"] = np.zeros(3, np.float32)
    with pytest.raises(InputError, match=r"lm_head.bias is unexpected"):
        load_base(source.write(tmp_path))


@pytest.mark.parametrize("size", [0, 4, 300, 2500])
def test_refuses_a_truncated_file(checkpoint, tmp_path, size):
    path = checkpoint("bert").write(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=f"^{path} is damaged or no safetensors file"):
        load_base(tmp_path)


def test_refuses_bytes_that_are_no_safetensors(checkpoint, tmp_path):
    path = checkpoint("bert").write(tmp_path) / "model.safetensors"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(InputError, match=f"^{path} is damaged or no safetensors file"):
        load_base(tmp_path)


def test_refuses_pickle_with_a_remedy(checkpoint, tmp_path):
    folder = checkpoint("bert").write(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"only pytorch_model.bin, .* pickle .*save_pretrained"):
        load_base(folder)


def test_refuses_a_folder_without_weights(checkpoint, tmp_path):
    (checkpoint("bert").write(tmp_path) / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"has no model.safetensors, nor shards"):
        load_base(tmp_path)


def test_refuses_a_missing_shard(checkpoint, tmp_path):
    names = write_shards(checkpoint("bert"), tmp_path)
    (tmp_path / names[1]).unlink()
    with pytest.raises(InputError, match=f"{INDEX} names files that are missing: {names[1]}"):
        load_base(tmp_path)


def test_refuses_a_damaged_shard_by_name(checkpoint, tmp_path):
    names = write_shards(checkpoint("bert"), tmp_path)
    (tmp_path / names[1]).write_bytes(b"")
    with pytest.raises(InputError, match=f"{names[1]} is damaged"):
        load_base(tmp_path)


@pytest.mark.parametrize("content", ["{}", '{"weight_map": {}}', '{"weight_map": ["a"]}'])
def test_refuses_an_index_without_a_map(checkpoint, tmp_path, content):
    write_shards(checkpoint("bert"), tmp_path)
    (tmp_path / INDEX).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"{INDEX} has no weight_map"):
        load_base(tmp_path)


@pytest.mark.parametrize("name", ["config.json", INDEX])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", ": not valid JSON"),
        (b"\xff\xfe\xfa", ": not UTF-8"),
        (b"[" * 10_000, ": JSON that is nested too deeply"),
        (b"[1]", " holds a JSON list; expected an object"),
    ],
)
def test_refuses_bad_json(checkpoint, tmp_path, name, content, message):
    write_shards(checkpoint("bert"), tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"^{tmp_path / name}{message}"):
        load_base(tmp_path)


def test_refuses_a_folder_without_config(checkpoint, tmp_path):
    (checkpoint("bert").write(tmp_path) / "config.json").unlink()
    with pytest.raises(InputError, match=r"config.json does not exist; expected the folder"):
        load_base(tmp_path)


def test_unsupported_config_is_named(checkpoint, tmp_path):
    source = checkpoint("bert")
    source.config["model_type"] = "llama"
    with pytest.raises(InputError, match=rf"^{tmp_path}/config.json: model_type 'llama'"):
        load_base(source.write(tmp_path))
