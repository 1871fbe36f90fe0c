"""The debug switch that names the first leaf and step that are not finite."""

import re
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.config import OptimizerConfig, TrainConfig
from maskjax.training import NotFiniteError, fit, fit_seeds, prepare, prepare_seeds

TRAIN = TrainConfig(batch_size=16, epochs=1, buckets=(8, 16), check_finite=True)


def with_nan(experiment):
    """The experiment with one score that is NaN."""
    path = "pooler/dense/kernel"

    def init(key, params):
        trainable = experiment.adaptation.init(key, params)
        scores = trainable["scores"]
        return trainable | {"scores": scores | {path: scores[path].at[2, 3].set(jnp.nan)}}

    return experiment._replace(adaptation=experiment.adaptation._replace(init=init))


def test_checked_training_equals_the_plain_one_and_compiles_as_often(toy_config, listener, caplog):
    recorded, plain = listener(), listener()
    found = fit(prepare(toy_config(train=TRAIN)), [recorded])
    expected = fit(prepare(toy_config(train=replace(TRAIN, check_finite=False))), [plain])
    assert recorded.of("loss") == pytest.approx(plain.of("loss"), rel=1e-6)
    for one, other in zip(
        jax.tree.leaves(found.trainable), jax.tree.leaves(expected.trainable), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert recorded.compiled == plain.compiled == 2


def test_first_leaf_and_step_are_named_in_one_line(toy_config):
    with pytest.raises(NotFiniteError) as caught:
        fit(with_nan(prepare(toy_config(train=TRAIN))))
    assert re.match(
        r"step 1: (head|scores)/\S+ is not finite; lower --optimizer", str(caught.value)
    )
    assert "\n" not in str(caught.value)


def test_diverging_weights_are_named(toy_config):
    optimizer = OptimizerConfig(name="sgd", learning_rate=1e38, clip=0.0, warmup=0.0)
    with pytest.raises(NotFiniteError, match=r"^step \d+: \S+ is not finite; lower"):
        fit(prepare(toy_config(train=TRAIN, optimizer=optimizer)))


def test_every_seed_is_checked(toy_config):
    first, second = prepare_seeds(toy_config(train=replace(TRAIN, seeds=2)))
    broken = second._replace(
        params={
            **second.params,
            "classifier": jax.tree.map(lambda leaf: leaf * jnp.nan, second.params["classifier"]),
        }
    )
    with pytest.raises(NotFiniteError, match=r"^step 1: \S+ is not finite"):
        fit_seeds([first, broken])


def test_chex_is_imported_with_the_switch_only():
    code = "import sys, maskjax.training.run, maskjax.training.fit; print('chex' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
