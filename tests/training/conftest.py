"""optax adds Python floats to integer counts, so its code cannot run under strict promotion."""

import jax
import pytest

from maskjax.training.reporting import Reporter


@pytest.fixture(autouse=True, scope="module")
def standard_promotion():
    with jax.numpy_dtype_promotion("standard"):
        yield


class Listener(Reporter):
    """Keeps what it is told."""

    def __init__(self):
        self.values, self.messages = [], []

    def metrics(self, step, values):
        self.values.append((step, values))

    def message(self, text):
        self.messages.append(text)

    def of(self, name):
        return {step: values[name] for step, values in self.values if name in values}


@pytest.fixture(scope="session")
def listener():
    return Listener
