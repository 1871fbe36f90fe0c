"""Programs through the TPU compiler, which needs no TPU; `pip install libtpu` brings it."""

from importlib.util import find_spec

import jax
import jax.numpy as jnp
import pytest

from benchmarks.harness import make_encoder
from benchmarks.tpu_memory import SIZES, compile_step, make_tpu_layout, one_chip
from maskjax.config import MeshConfig
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.packed import PackedWeight, kernel_product, masked_product
from maskjax.models import build_model
from maskjax.training.sharding import ONE_DEVICE

pytestmark = [
    pytest.mark.usefixtures("standard_promotion"),
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("libtpu") is None, reason="needs libtpu"),
]
ROWS = MeshConfig(data=-1)
DIVIDED = MeshConfig(data=-1, fsdp=True)
BOTH = MeshConfig(data=4, model=2, fsdp=True)
METHODS = pytest.mark.parametrize("method", ["mask", "finetune"])
PRECISIONS = pytest.mark.parametrize("precision", ["float32", "lean"])
OF_WEIGHTS = {"all-gather", "all-reduce", "reduce-scatter"}


@pytest.fixture(autouse=True)
def nothing_cached():
    """Programs for chips that are not there can be written to a cache, but not read back."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)
    jax.config.update(name, float("inf"))
    yield
    jax.config.update(name, before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "lean"])
@pytest.mark.parametrize("method", ["mask", "finetune", "lora"])
def test_step_of_one_chip_has_no_collectives(method, precision):
    figures = compile_step(SIZES["tiny"], method, "masked_weights", precision, ONE_DEVICE)
    assert figures.collectives == {}
    # An older libtpu counts no temporaries in some of these programs, but always what a step keeps.
    assert figures.peak > figures.frozen + figures.state > 0
    assert figures.accessed > figures.state


@PRECISIONS
@METHODS
def test_data_parallel_step_only_sums_gradients(method, precision):
    figures = compile_step(SIZES["tiny"], method, "nothing", precision, make_tpu_layout(ROWS))
    assert set(figures.collectives) == {"all-reduce"}


@PRECISIONS
@METHODS
@pytest.mark.parametrize("mesh", [DIVIDED, BOTH], ids=["data", "data and model"])
def test_sharded_weights_are_gathered_for_use(method, mesh, precision):
    figures = compile_step(SIZES["tiny"], method, "nothing", precision, make_tpu_layout(mesh))
    assert "all-gather" in figures.collectives
    assert set(figures.collectives) <= OF_WEIGHTS


@pytest.mark.parametrize("mesh", [DIVIDED, BOTH], ids=["data", "data and model"])
def test_masked_weight_is_gathered_once_and_its_mask_never(mesh):
    """Masks are applied where their scores are, so that a mask is sent as little as finetuning."""
    layout = make_tpu_layout(mesh)
    gathers = {
        (method, remat): compile_step(
            SIZES["tiny"], method, remat, "float32", layout
        ).collectives["all-gather"]
        for method, remat in [
            ("finetune", "nothing"), ("mask", "nothing"), ("mask", "masked_weights")
        ]
    }  # fmt: skip
    assert gathers["mask", "nothing"] <= gathers["finetune", "nothing"]
    assert gathers["mask", "masked_weights"] <= 2 * gathers["finetune", "nothing"]


@pytest.mark.parametrize("shape", [(384, 1536), (768, 3072), (1024, 4096), (4096, 1024)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rows", [1, 128])
def test_the_kernel_compiles_for_the_matrices_of_all_sizes(shape, dtype, rows):
    inputs, outputs = shape
    x = on_chip((16, rows, inputs), dtype)
    planes = on_chip((16, inputs // 8, outputs), "uint8")
    program = masked_product.lower(x, on_chip(shape, dtype), planes).compile()
    text, memory = program.as_text(), program.memory_analysis()
    assert text is not None
    assert memory is not None
    assert "tpu_custom_call" in text
    assert memory.temp_size_in_bytes < inputs * outputs  # no room for W * M


def test_a_model_of_packed_weights_compiles_for_several_tasks():
    model = build_model(make_encoder(SIZES["tiny"], dropout=0.0), 2)
    leaves = flatten_with_paths(model.abstract)
    kernels = {p: w for p, w in leaves.items() if p.startswith("encoder/") and w.ndim == 2}

    def logits(params, planes, ids):
        own = flatten_with_paths(params)
        packed = {path: PackedWeight(own[path], planes[path], kernel_product) for path in kernels}
        inputs = {"input_ids": ids, "attention_mask": ids, "token_type_ids": ids}
        return model.apply(update_leaves(params, packed), inputs)

    params = jax.tree.map(lambda leaf: on_chip(leaf.shape, leaf.dtype), model.abstract)
    planes = {p: on_chip((4, w.shape[0] // 8, w.shape[1]), "uint8") for p, w in kernels.items()}
    program = jax.jit(jax.vmap(logits, in_axes=(None, 0, 0)))
    text = program.lower(params, planes, on_chip((4, 1, 128), "int32")).compile().as_text()
    assert text is not None
    assert text.count("/pallas_call") == len(kernels)


def on_chip(shape, dtype):
    return jax.ShapeDtypeStruct(shape, jnp.dtype(dtype), sharding=one_chip())
