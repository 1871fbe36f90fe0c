"""The product with packed masks, against W ⊙ M written out, in Pallas' interpreter."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.masking.packed import (
    PackedWeight,
    kernel_product,
    late_product,
    masked_product,
    pack_bit_planes,
    unpack_bit_planes,
)

in_interpreter = partial(kernel_product, interpret=True)
SHAPES = {
    "one row": (3, 1, 16, 24),
    "rows of two tiles": (2, 150, 8, 8),
    "columns of several tiles": (2, 5, 4096, 300),
}


def random_arguments(shape, dtype):
    groups, rows, inputs, outputs = shape
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(groups, rows, inputs)), dtype)
    weight = jnp.asarray(random.normal(size=(inputs, outputs)), dtype)
    return x, weight, random.random((groups, inputs, outputs)) < 0.7


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_kernel_equals_the_product_with_masked_weights(shape, dtype):
    x, weight, masks = random_arguments(shape, dtype)
    planes = jnp.stack([jnp.asarray(pack_bit_planes(mask)) for mask in masks])
    found = masked_product(x, weight, planes, interpret=True)
    assert found.dtype == dtype
    wide = np.asarray(weight, np.float64) * masks
    expected = np.einsum("gri,gio->gro", np.asarray(x, np.float64), wide)
    tolerance = 2e-6 if dtype == "float32" else 1e-2
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, atol=tolerance * scale)


@pytest.mark.parametrize("shape", [(8, 5), (11, 3), (16, 1), (1, 9)])
def test_planes_round_trip(shape):
    mask = np.random.default_rng(1).random(shape) < 0.5
    planes = pack_bit_planes(mask)
    assert planes.shape == (-(-shape[0] // 8), shape[1])
    np.testing.assert_array_equal(unpack_bit_planes(planes, shape[0]), mask)
    np.testing.assert_array_equal(
        jax.jit(unpack_bit_planes, static_argnums=1)(planes, shape[0]), mask
    )


def test_wrong_shapes_and_dtypes_are_refused():
    x, weight, masks = random_arguments((2, 3, 16, 4), "float32")
    planes = jnp.stack([jnp.asarray(pack_bit_planes(mask)) for mask in masks])
    with pytest.raises(ValueError, match="a multiple of 8"):
        masked_product(x[:, :, :12], weight[:12], planes, interpret=True)
    with pytest.raises(ValueError, match="Expected uint8 planes of shape"):
        masked_product(x, weight, planes[:1], interpret=True)
    with pytest.raises(ValueError, match="one dtype"):
        masked_product(x, weight.astype(jnp.bfloat16), planes, interpret=True)


@pytest.mark.parametrize(("product", "kernels"), [(late_product, 0), (in_interpreter, 1)])
def test_packed_weights_of_several_tasks_match_products(product, kernels):
    x, weight, masks = random_arguments((3, 4, 16, 8), "float32")
    planes = jnp.stack([jnp.asarray(pack_bit_planes(mask)) for mask in masks])

    def multiply(x, planes):
        packed = PackedWeight(weight, planes, product)
        assert (packed.shape, packed.dtype) == (weight.shape, weight.dtype)
        return x @ packed[...].astype("bfloat16").astype("float32")

    rounded = np.asarray(weight.astype("bfloat16"), np.float32)
    expected = np.einsum("gri,gio->gro", np.asarray(x), rounded * masks)
    np.testing.assert_allclose(jax.vmap(multiply)(x, planes), expected, atol=1e-5)
    np.testing.assert_allclose(multiply(x[0], planes[0]), expected[0], atol=1e-5)
    assert str(jax.make_jaxpr(jax.vmap(multiply))(x, planes)).count("pallas_call[") == kernels
    same = jax.vmap(multiply, in_axes=(None, 0))(x[0], planes)
    np.testing.assert_allclose(same[2], x[0] @ (rounded * masks[2]), atol=1e-5)


def test_packed_weight_refuses_indices_and_one_base_per_task():
    x, weight, masks = random_arguments((2, 3, 16, 8), "float32")
    planes = jnp.asarray(pack_bit_planes(masks[0]))
    with pytest.raises(ValueError, match="no parts, got index 0"):
        PackedWeight(weight, planes)[0]
    with pytest.raises(ValueError, match="of 2 tasks over one weight"):
        jax.vmap(lambda w: x[0] @ PackedWeight(w, planes, in_interpreter))(
            jnp.stack([weight, weight])
        )
