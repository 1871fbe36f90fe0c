"""Masked weights are computed one after the other, when they are needed."""

import dataclasses

import jax
import numpy as np

from maskjax.inference.compiled import compile_model, full_bit_planes
from maskjax.masking import flatten_with_paths
from maskjax.models import load_base


def test_a_program_never_holds_the_weights_of_all_blocks(base_of):
    config = load_base(base_of("bert")).config
    config = dataclasses.replace(config, hidden_size=128, intermediate_size=512, num_layers=6)
    model = compile_model(config, "classification", 2, "float32")
    leaves = flatten_with_paths(model.model.abstract)
    planes = {path: full_bit_planes(leaves[path].shape) for path in model.maskable}
    ids = np.zeros((1, 8), np.int32)
    inputs = {"input_ids": ids, "attention_mask": ids, "token_type_ids": ids}
    compiled = jax.jit(model.forward).lower(leaves, planes, inputs).compile()
    weights = 4 * sum(leaves[path].size for path in planes)
    assert compiled.memory_analysis().temp_size_in_bytes < weights / 4
