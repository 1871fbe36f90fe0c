"""Several seeds in one program equal the same seeds one by one."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from maskjax.config import AdaptationConfig, OptimizerConfig, TrainConfig
from maskjax.masking import flatten_with_paths
from maskjax.progress import Progress
from maskjax.training import Seeds, fit, fit_seeds, prepare, prepare_seeds
from maskjax.training.hooks import Best

PARAMS = [{"base": jnp.ones(2), "head": jnp.full(1, float(seed))} for seed in range(3)]
PARAMS = [{**some, "base": PARAMS[0]["base"]} for some in PARAMS]


def test_shared_arrays_are_not_copied():
    seeds = Seeds(PARAMS)
    assert seeds.axes == {"base": None, "head": 0}
    assert seeds.params["base"] is PARAMS[0]["base"]
    assert seeds.params["head"].shape == (3, 1)
    one = Seeds(PARAMS[:1])
    assert all(one.params[path] is leaf for path, leaf in PARAMS[0].items())


@pytest.mark.parametrize("loop", ["vmap", "map"])
def test_step_of_all_seeds_equals_the_step_of_each(loop):
    def step(state, params, batch):
        key = jax.random.fold_in(state["key"], state["step"])
        noise = jax.random.normal(key, (2,))
        moved = state["x"] + batch * params["head"] + params["base"] * noise
        return {**state, "x": moved, "step": state["step"] + 1}, moved.sum()

    states = [
        {"x": jnp.full(2, float(seed)), "step": jnp.int32(seed), "key": jax.random.key(seed)}
        for seed in range(3)
    ]
    batches = [np.full(2, 10.0 * seed, np.float32) for seed in range(3)]
    seeds = Seeds(PARAMS, loop)
    found, outputs = jax.jit(seeds.step(step))(
        seeds.stack(states), seeds.params, seeds.stack(batches)
    )
    for seed, alone in enumerate(map(step, states, PARAMS, batches)):
        np.testing.assert_allclose(seeds.take(found, seed)["x"], alone[0]["x"], rtol=1e-6)
        np.testing.assert_allclose(outputs[seed], alone[1], rtol=1e-6)
        assert seeds.take(found, seed)["step"] == seed + 1


def test_mapped_seeds_take_the_temporaries_of_one():
    """The compiler counts the temporary bytes."""

    def temporaries(loop, count):
        seeds = Seeds([{"head": jnp.ones(1)} for _ in range(count)], loop)
        step = seeds.step(lambda x, p, y: ((jnp.sin(x) @ jnp.cos(x)) @ (x * y), p["head"]))
        x, y = jnp.ones((count, 64, 64)), jnp.ones((count, 1, 1))
        compiled = jax.jit(step, donate_argnums=0).lower(x, seeds.params, y).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporaries("map", 8) < 1.2 * temporaries("map", 2) < temporaries("vmap", 8)


def test_best_keeps_the_first_of_equals_and_counts_patience():
    for count in (1, 2):
        seeds = Seeds(PARAMS[:count])
        trainable = seeds.stack([{"a": jnp.zeros(3)}] * count)
        zeros = np.zeros(count, np.int64)
        best = Best(np.full(count, -np.inf), zeros, zeros, jax.tree.map(jnp.copy, trainable))
        for step, score in enumerate([0.5, 0.5, 0.6, np.nan, 0.6], start=1):
            scores = np.array([score, -score][:count])
            moved = jax.tree.map(lambda a, s=step: a + s, trainable)
            best = best.update(step, scores, moved)
        assert best.step.tolist() == [3, 1][:count]
        assert best.waited.tolist() == [2, 4][:count]
        assert best.has_patience(3).tolist() == [True, False][:count]
        assert best.has_patience(None).all()
        kept = [seeds.take(best.trainable, seed)["a"][0] for seed in range(count)]
        assert kept == [3, 1][:count]


def test_seeds_together_equal_single_runs(toy_config, listener, monkeypatch):
    """Masks are sampled, heads are frozen as drawn, and patience ends seed by seed."""
    monkeypatch.setattr("maskjax.training.hooks.log.LOG_EVERY", 1)
    adaptation = AdaptationConfig(
        binarizer="bernoulli", initializer="uniform", sparsity=0.49, head="masked", blocks=(1, 1)
    )
    settings = {"batch_size": 16, "buckets": (16,), "eval_every": 2, "patience": 2}
    config = toy_config(
        adaptation=adaptation,
        optimizer=OptimizerConfig(learning_rate=3e-2),
        train=TrainConfig(**settings, seed=4, seeds=3),
    )
    experiments = prepare_seeds(config)
    recorded = [listener() for _ in experiments]
    alone = [fit(one, [hook]) for one, hook in zip(experiments, recorded, strict=True)]
    assert len({some.score for some in alone}) > 1
    assert len({some.steps for some in alone}) > 1
    assert all(max(some.of("mask_flips_initial").values()) > 0.02 for some in recorded)
    heard, output = [listener(seed) for seed in range(3)], io.StringIO()
    with Progress(Console(file=output, width=200)):
        together = fit_seeds(experiments, heard)
    assert together[0].steps == max(some.steps for some in alone)
    for seed, (one, other) in enumerate(zip(together, alone, strict=True)):
        assert (one.step, one.score) == (other.step, pytest.approx(other.score, abs=1e-4))
        for name in ("loss", "score", "mask_flips_initial"):
            assert heard[seed].of(name) == pytest.approx(recorded[seed].of(name), abs=1e-5)
        finalize, params = experiments[seed].adaptation.finalize, experiments[seed].params
        masks = [finalize(some.trainable, params).masks for some in (one, other)]
        jax.tree.map(np.testing.assert_array_equal, *masks)
    messages = output.getvalue().splitlines()
    assert any(message.startswith("compiled the step for 3 x 16 x 16") for message in messages)
    assert any(message.startswith("seed 6: no better score") for message in messages)


def test_arrays_that_no_seed_draws_are_shared(toy_config):
    one, other = prepare_seeds(toy_config(train=TrainConfig(seeds=2, seed=7)))
    assert (one.config.train.seed, other.config.train.seed, other.config.train.seeds) == (7, 8, 1)
    axes = Seeds([one.params, other.params]).axes
    own = {path for path, axis in flatten_with_paths(axes).items() if axis == 0}
    assert own == {"classifier/kernel", "classifier/bias"}
    again = prepare(other.config)
    jax.tree.map(np.testing.assert_array_equal, again.params, other.params)
