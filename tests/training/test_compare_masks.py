"""Flips and overlap of masks match bool arrays."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.adaptation import combine, masking, train_weights
from maskjax.masking import threshold_mask
from maskjax.training import Seeds
from maskjax.training.hooks import CompareMasks

SHAPES = {"a": (3, 5), "b": (7,)}
PARAMS = {path: jnp.ones(shape) for path, shape in SHAPES.items()}
MASKED = combine(scores=masking(threshold_mask(where=["a", "b"])))


def draw(seed):
    random = np.random.default_rng(seed)
    scores = {p: random.normal(0.3, 1, s).astype(np.float32) for p, s in SHAPES.items()}
    return {"scores": jax.tree.map(jnp.asarray, scores)}


def expected(first, second):
    one, two = (
        np.concatenate([np.asarray(some["scores"][path]).ravel() > 0.01 for path in SHAPES])
        for some in (first, second)
    )
    return (one != two).mean(), (one & two).sum() / (one | two).sum()


def compare(adaptation, evaluations):
    """The numbers of each evaluation, after the trainables of all seeds at the start."""
    seeds = Seeds([PARAMS] * len(evaluations[0]))
    training = SimpleNamespace(
        experiments=[SimpleNamespace(adaptation=adaptation)],
        seeds=seeds,
        state=SimpleNamespace(trainable=seeds.stack(evaluations[0])),
        eval_steps={1, 2},
        running_seeds=lambda: range(seeds.count),
    )
    hook = CompareMasks()
    hook.state = hook.init(training)
    for step, trainables in enumerate(evaluations[1:], 1):
        training.step, training.numbers = step, [{} for _ in trainables]
        training.state.trainable = seeds.stack(trainables)
        hook(training)
        yield training.numbers


def test_changes_of_every_seed_match_bool_arrays():
    for count in (1, 2):
        drawn = [[draw(10 * time + seed) for seed in range(count)] for time in range(3)]
        for before, numbers in enumerate(compare(MASKED, drawn)):
            for seed, found in enumerate(numbers):
                for name, then in (("initial", 0), ("previous", before)):
                    flips, iou = expected(drawn[then][seed], drawn[before + 1][seed])
                    np.testing.assert_allclose(found[f"mask_flips_{name}"], flips)
                    np.testing.assert_allclose(found[f"mask_iou_{name}"], iou)


def test_without_masks_no_changes_are_logged():
    trainable = {"head": {"b": jnp.ones(7)}}
    unmasked = combine(head=train_weights(["b"]))
    assert list(compare(unmasked, [[trainable], [trainable]])) == [[{}]]
