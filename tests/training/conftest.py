"""Fixtures of training."""

import signal
from contextlib import contextmanager

import pytest

from maskjax.training.loggers import Reporter
from maskjax.training.window import Window


@pytest.fixture(autouse=True, scope="module")
def promotion_of_optax(standard_promotion):
    """Every test here may train."""


class Listener(Reporter):
    """Records every call."""

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


@contextmanager
def sigterm_at(*steps):
    """SIGTERM reaches this process right before these steps."""
    make_step = Window.run

    def stopping(window, state, batch, step, running):
        if step in steps:
            signal.raise_signal(signal.SIGTERM)
        return make_step(window, state, batch, step, running)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Window, "run", stopping)
        yield


@pytest.fixture(scope="session")
def stopped_at():
    return sigterm_at
