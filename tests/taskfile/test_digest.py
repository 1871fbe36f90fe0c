"""Digests: shape and exact value of floating leaves only, and those of format 1 as they were."""

import hashlib

import equinox as eqx
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from maskjax.adaptation import Delta
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.taskfile import check_base, load_task_file, make_task_file, save_task_file
from maskjax.taskfile.digest import digest_all, digest_leaf, digest_leaves

EXACT = np.array([0.5, -0.0, 1.25, np.inf, 3e38], np.float32)


@pytest.mark.parametrize("dtype", [np.float64, "<f4", ">f4", ">f8"])
def test_digest_does_not_depend_on_the_dtype(dtype):
    assert digest_leaf(EXACT.astype(dtype)) == digest_leaf(EXACT)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_digest_of_short_dtypes_equals_the_wide_one(dtype):
    short = np.array([0.5, 1.25, -2], dtype)
    assert digest_leaf(short) == digest_leaf(short.astype(np.float64))


def test_float64_is_exact():
    one, next_ = np.ones(3), np.ones(3) + 2**-52
    assert digest_leaf(one) != digest_leaf(next_)
    assert digest_leaf(np.full(3, 1e300)) != digest_leaf(np.full(3, 1e301))
    expected = hashlib.sha256(b"3\0" + next_.astype("<f8").tobytes()).hexdigest()[:16]
    assert digest_leaf(next_) == expected


def test_only_floating_arrays_have_digests():
    leaves = {
        "kernel": np.ones((2, 2), np.float32),
        "half": jnp.ones(2, jnp.bfloat16),
        "step": np.array(2**24),
        "flags": np.array([True]),
        "key": jax.random.key(0),
        "raw_key": jax.random.PRNGKey(0),
        "inference": False,
        "rate": 0.5,
        "activation": jnp.tanh,
        "name": "x",
        "complex": np.ones(2, np.complex64),
    }
    assert digest_leaves(leaves).keys() == {"kernel", "half"}
    assert digest_all(digest_leaves(leaves)) == digest_all(
        digest_leaves({**leaves, "step": np.array(2**24 + 1), "key": jax.random.key(1)})
    )


def test_equinox_inference_mode_does_not_change_the_digests(meta, tmp_path):
    model = eqx.nn.Sequential([eqx.nn.Linear(8, 8, key=jax.random.key(0)), eqx.nn.Dropout(0.1)])
    leaves = flatten_with_paths(model)
    mask = Delta.of(masks={"layers/0/weight": np.ones((8, 8), bool)})
    save_task_file(tmp_path / "t", make_task_file(mask, leaves, meta))
    file = load_task_file(tmp_path / "t")
    check_base(file, leaves, ())
    check_base(file, flatten_with_paths(eqx.nn.inference_mode(model)), ())
    moved = eqx.tree_at(lambda m: m.layers[0].bias, model, model.layers[0].bias + 1)
    with pytest.raises(InputError, match="another base"):
        check_base(file, flatten_with_paths(moved), ())


def test_format_1_digests_include_integer_leaves(meta, tmp_path):
    """A task learned on a base with a counter, under the old digests, is saved again."""
    leaves = {"kernel": np.ones((8, 8), np.float64) / 3, "step": np.array([3, 4])}
    lines = {}
    for path, leaf in leaves.items():
        shape = ",".join(map(str, leaf.shape)).encode()
        content = shape + b"\0" + np.ascontiguousarray(leaf, "<f4").tobytes()
        lines[path] = hashlib.sha256(content).hexdigest()[:16]
    assert digest_leaves(leaves, 1) == lines
    task = make_task_file(Delta.of(masks={"kernel": np.ones((8, 8), bool)}), leaves, meta)
    old = task._replace(
        digests={"kernel": lines["kernel"]},
        digest_format=1,
        meta={**task.meta, "base": {**task.meta["base"], "digest": digest_all(lines)}},
    )
    save_task_file(tmp_path / "t", old)
    file = load_task_file(tmp_path / "t")
    assert file.digest_format == 1
    check_base(file, leaves, ())
    with pytest.raises(InputError, match="some other tensor"):
        check_base(file, {**leaves, "step": np.array([3, 5])}, ())
