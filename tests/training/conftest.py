"""Fixtures of training."""

import signal

import pytest

from maskjax.training import Hook


@pytest.fixture(autouse=True, scope="module")
def promotion_of_optax(standard_promotion):
    """Every test here may train."""


class Listener(Hook):
    """Records the numbers of one seed."""

    def __init__(self, seed=0):
        self.seed, self.values, self.compiled = seed, [], 0

    def __call__(self, training):
        self.compiled = len(training.compiled)
        if numbers := training.numbers[self.seed]:
            self.values.append((training.step, dict(numbers)))

    def of(self, name):
        return {step: values[name] for step, values in self.values if name in values}


@pytest.fixture(scope="session")
def listener():
    return Listener


class SigtermAt(Hook):
    """SIGTERM reaches this process after these steps."""

    def __init__(self, *steps):
        self.steps = steps

    def __call__(self, training):
        if training.step in self.steps:
            signal.raise_signal(signal.SIGTERM)


@pytest.fixture(scope="session")
def sigterm_at():
    return SigtermAt
