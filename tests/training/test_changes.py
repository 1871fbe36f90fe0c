"""Flips and overlap of masks match bool arrays."""

import jax
import jax.numpy as jnp
import numpy as np

from maskjax.adaptation import combine, masking, train_weights
from maskjax.masking import threshold_mask
from maskjax.training import Lanes
from maskjax.training.changes import MaskChanges

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


def test_changes_of_every_lane_match_bool_arrays():
    for count in (1, 2):
        lanes = Lanes([PARAMS] * count)
        changes = MaskChanges(MASKED, lanes)
        looks = [[draw(10 * time + lane) for lane in range(count)] for time in range(3)]
        history = changes.start(lanes.stack(looks[0]), lanes.params)
        for now, before in ((1, 0), (2, 1)):
            history, values = changes.look(lanes.stack(looks[now]), lanes.params, history)
            for lane, found in enumerate(values):
                for name, then in (("initial", 0), ("previous", before)):
                    flips, iou = expected(looks[then][lane], looks[now][lane])
                    np.testing.assert_allclose(found[f"mask_flips_{name}"], flips)
                    np.testing.assert_allclose(found[f"mask_iou_{name}"], iou)


def test_without_masks_no_changes_are_logged():
    lanes = Lanes([PARAMS])
    changes = MaskChanges(combine(head=train_weights(["b"])), lanes)
    trainable = {"head": {"b": jnp.ones(7)}}
    history = changes.start(trainable, PARAMS)
    assert changes.look(trainable, PARAMS, history) == (history, [{}])
