"""optax adds Python floats to integer counts, so its code cannot run under strict promotion."""

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield
