"""Several seeds in one program equal the same seeds one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from maskjax.config import AdaptationConfig, OptimizerConfig, TrainConfig
from maskjax.training import Lanes, fit, fit_together, prepare, prepare_seeds
from maskjax.training.best import Best

PARAMS = [{"base": jnp.ones(2), "head": jnp.full(1, float(lane))} for lane in range(3)]
PARAMS = [{**some, "base": PARAMS[0]["base"]} for some in PARAMS]


def test_shared_arrays_are_not_copied():
    lanes = Lanes(PARAMS)
    assert lanes.params.shared["base"] is PARAMS[0]["base"]
    assert {path: leaf.shape for path, leaf in lanes.params.own.items()} == {"head": (3, 1)}
    assert Lanes(PARAMS[:1]).params is PARAMS[0]


@pytest.mark.parametrize("how", ["vmap", "map"])
def test_step_of_all_lanes_equals_the_step_of_each(how):
    def step(state, params, batch):
        key = jax.random.fold_in(state["key"], state["step"])
        noise = jax.random.normal(key, (2,))
        moved = state["x"] + batch * params["head"] + params["base"] * noise
        return {**state, "x": moved, "step": state["step"] + 1}, moved.sum()

    states = [
        {"x": jnp.full(2, float(lane)), "step": jnp.int32(lane), "key": jax.random.key(lane)}
        for lane in range(3)
    ]
    batches = [np.full(2, 10.0 * lane, np.float32) for lane in range(3)]
    lanes = Lanes(PARAMS, how)
    found, outputs = jax.jit(lanes.in_place(step))(
        lanes.stack(states), lanes.params, lanes.stack(batches)
    )
    for lane, alone in enumerate(map(step, states, PARAMS, batches)):
        np.testing.assert_allclose(lanes.one(found, lane)["x"], alone[0]["x"], rtol=1e-6)
        np.testing.assert_allclose(outputs[lane], alone[1], rtol=1e-6)
        assert lanes.one(found, lane)["step"] == lane + 1


def test_mapped_lanes_take_the_temporaries_of_one():
    """The compiler counts the temporary bytes."""

    def temporaries(how, count):
        lanes = Lanes([{"head": jnp.ones(1)} for _ in range(count)], how)
        step = lanes.in_place(lambda x, p, y: ((jnp.sin(x) @ jnp.cos(x)) @ (x * y), p["head"]))
        x, y = jnp.ones((count, 64, 64)), jnp.ones((count, 1, 1))
        compiled = jax.jit(step, donate_argnums=0).lower(x, lanes.params, y).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporaries("map", 8) < 1.2 * temporaries("map", 2) < temporaries("vmap", 8)


def test_best_keeps_the_first_of_equals_and_counts_patience():
    for count in (1, 2):
        lanes = Lanes(PARAMS[:count])
        trainable = lanes.stack([{"a": jnp.zeros(3)}] * count)
        best = Best.before(trainable, lanes)
        for step, score in enumerate([0.5, 0.5, 0.6, np.nan, 0.6], start=1):
            scores = np.array([score, -score][:count])
            best = best.update(
                step, scores, jax.tree.map(lambda a, s=step: a + s, trainable), lanes
            )
        assert best.step.tolist() == [3, 1][:count]
        assert best.waited.tolist() == [2, 4][:count]
        assert best.exhausted(3).tolist() == [False, True][:count]
        assert not best.exhausted(None).any()
        kept = [lanes.one(best.trainable, lane)["a"][0] for lane in range(count)]
        assert kept == [3, 1][:count]


def test_seeds_together_equal_single_runs(toy_config, listener, monkeypatch):
    """Masks are sampled, heads are frozen as drawn, and patience ends seed by seed."""
    monkeypatch.setattr("maskjax.training.window.LOG_EVERY", 1)
    adaptation = AdaptationConfig(
        binarizer="bernoulli", start="uniform", sparsity=0.49, head="masked", blocks=(1, 1)
    )
    settings = {"batch_size": 16, "buckets": (16,), "eval_every": 2, "patience": 2}
    config = toy_config(
        adaptation=adaptation,
        optimizer=OptimizerConfig(learning_rate=3e-2),
        train=TrainConfig(**settings, seed=4, seeds=3),
    )
    experiments = prepare_seeds(config)
    recorded = [listener() for _ in experiments]
    alone = list(map(fit, experiments, recorded))
    assert len({some.score for some in alone}) > 1
    assert len({some.steps for some in alone}) > 1
    assert all(max(some.of("mask_flips_initial").values()) > 0.02 for some in recorded)
    heard = [listener() for _ in experiments]
    together = fit_together(experiments, heard)
    assert together[0].steps == max(some.steps for some in alone)
    for lane, (one, other) in enumerate(zip(together, alone, strict=True)):
        assert (one.step, one.score) == (other.step, pytest.approx(other.score, abs=1e-4))
        for name in ("loss", "score", "mask_flips_initial"):
            assert heard[lane].of(name) == pytest.approx(recorded[lane].of(name), abs=1e-5)
        finalize, params = experiments[lane].adaptation.finalize, experiments[lane].params
        masks = [finalize(some.trainable, params).masks for some in (one, other)]
        jax.tree.map(np.testing.assert_array_equal, *masks)
    messages = [message for some in heard for message in some.messages]
    assert messages[0].startswith("compiled the step for 3 x 16 x 16 tokens")
    assert any(message.startswith("seed 6: no better score") for message in messages)


def test_arrays_that_no_seed_draws_are_shared(toy_config):
    one, other = prepare_seeds(toy_config(train=TrainConfig(seeds=2, seed=7)))
    assert (one.config.train.seed, other.config.train.seed, other.config.train.seeds) == (7, 8, 1)
    own = Lanes([one.params, other.params]).params.own
    assert set(own) == {"classifier/kernel", "classifier/bias"}
    again = prepare(other.config)
    jax.tree.map(np.testing.assert_array_equal, again.params, other.params)
