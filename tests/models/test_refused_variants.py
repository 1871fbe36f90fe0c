"""Variants that are not computed are refused, in whatever form a file says them."""

import json

import pytest

from maskjax.errors import InputError
from maskjax.models import load_base

ROTATED = ("modernbert", "eurobert", "gemma3_text")


@pytest.mark.parametrize("family", ROTATED)
@pytest.mark.parametrize("key", ["type", "rope_type"])
@pytest.mark.parametrize("scaling", ["linear", "yarn"])
def test_scaled_rotations_are_refused(family, key, scaling, tiny_config):
    with pytest.raises(InputError, match=f"rope_type '{scaling}' is not supported"):
        tiny_config(family, rope_scaling={key: scaling, "factor": 4.0})


@pytest.mark.parametrize("family", ["modernbert", "gemma3_text"])
def test_parameters_of_no_type_of_block_are_refused(family, tiny_config):
    with pytest.raises(InputError, match=r"rope_parameters: expected those of .* \['rope_theta'\]"):
        tiny_config(family, rope_parameters={"rope_theta": 10_000.0})


def test_a_part_of_a_rotation_is_refused(tiny_config):
    with pytest.raises(InputError, match="partial_rotary_factor"):
        tiny_config("eurobert", rope_parameters={"partial_rotary_factor": 0.5})


@pytest.mark.parametrize(
    ("family", "key"), [("modernbert", "global_rope_theta"), ("gemma3_text", "rope_theta")]
)
def test_an_older_integer_does_not_forbid_a_newer_float(family, key, tiny_config):
    newer = {"full_attention": {"rope_type": "default", "rope_theta": 5000.0}}
    types = ["full_attention", "full_attention"]
    config = tiny_config(family, **{key: 160_000}, rope_parameters=newer, layer_types=types)
    assert config.thetas == (5000.0, 5000.0)
    assert tiny_config(family, **{key: 160_000}, layer_types=types).thetas == (160_000.0,) * 2


@pytest.mark.parametrize("family", ["bert", *ROTATED])
def test_mixtures_of_experts_are_refused(family, tiny_config):
    assert tiny_config(family, num_experts=1) == tiny_config(family)
    with pytest.raises(InputError, match="num_local_experts 8: a mixture of experts"):
        tiny_config(family, num_local_experts=8)


def test_a_decoder_is_refused(tiny_config):
    with pytest.raises(InputError, match="is_decoder True"):
        tiny_config("eurobert", is_decoder=True)
    with pytest.raises(InputError, match="a decoder, which attends to earlier tokens"):
        tiny_config("gemma3_text", use_bidirectional_attention=False)


@pytest.mark.parametrize(
    ("name", "near"),
    [("modernbertt", "modernbert"), ("gemma3", "gemma3_text"), ("debertav2", "deberta-v2")],
)
def test_an_unknown_family_is_told_near_names(name, near, checkpoint, tmp_path):
    folder = checkpoint("bert").write(tmp_path)
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(values | {"model_type": name}))
    with pytest.raises(InputError, match=rf"'{name}' is not supported; did you mean .*{near}"):
        load_base(folder)


@pytest.mark.parametrize("family", ["modernbert", "gemma3_text"])
def test_defaults_beside_the_parameters_of_both_types_are_read(family, tiny_config):
    both = {name: {"rope_theta": 5000.0} for name in ("full_attention", "sliding_attention")}
    config = tiny_config(family, rope_parameters=both | {"rope_type": "default", "rope_theta": 7.0})
    assert config.thetas == (5000.0, 5000.0)
    with pytest.raises(InputError, match="rope_type 'yarn' is not supported"):
        tiny_config(family, rope_parameters=both | {"rope_type": "yarn"})
