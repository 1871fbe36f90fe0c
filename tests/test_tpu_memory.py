"""Training steps through the TPU compiler, which needs no TPU; `pip install libtpu` brings it."""

from importlib.util import find_spec

import jax
import pytest

from benchmarks.tpu_memory import SIZES, compile_step, make_tpu_layout
from maskjax.config import MeshConfig
from maskjax.training.mesh import ONE_DEVICE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("libtpu") is None, reason="needs libtpu"),
]
ROWS = MeshConfig(data=-1)
DIVIDED = MeshConfig(data=-1, fsdp=True)
BOTH = MeshConfig(data=4, model=2, fsdp=True)
METHODS = pytest.mark.parametrize("method", ["mask", "finetune"])
PRECISIONS = pytest.mark.parametrize("precision", ["float32", "lean"])
OF_WEIGHTS = {"all-gather", "all-reduce", "reduce-scatter", "collective-permute", "all-to-all"}


@pytest.fixture(autouse=True)
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(autouse=True)
def nothing_cached():
    """Programs for chips that are not there can be written to a cache, but not read back."""
    name = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, name)
    jax.config.update(name, float("inf"))
    yield
    jax.config.update(name, before)


@PRECISIONS
@METHODS
def test_a_step_of_one_chip_exchanges_nothing(method, precision):
    figures = compile_step(SIZES["tiny"], method, "masked_weights", precision, ONE_DEVICE)
    assert figures.collectives == {}
    assert figures.peak > figures.temporary > 0


@PRECISIONS
@METHODS
def test_divided_rows_only_sum_gradients(method, precision):
    figures = compile_step(SIZES["tiny"], method, "nothing", precision, make_tpu_layout(ROWS))
    assert set(figures.collectives) == {"all-reduce"}


@PRECISIONS
@METHODS
@pytest.mark.parametrize("mesh", [DIVIDED, BOTH], ids=["data", "data and model"])
def test_divided_weights_are_collected_for_use(method, mesh, precision):
    figures = compile_step(SIZES["tiny"], method, "nothing", precision, make_tpu_layout(mesh))
    assert "all-gather" in figures.collectives
    assert set(figures.collectives) <= OF_WEIGHTS
