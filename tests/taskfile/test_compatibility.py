"""A task on the wrong base: what differs is named, for any dtype and order of leaves."""

import hashlib

import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.taskfile import check_base
from maskjax.taskfile.digest import digest_leaf

HEAD = {"head/kernel"}


@pytest.fixture
def leaves(base):
    return {**base, "head/kernel": np.zeros((7, 2), np.float32)}


def test_the_right_base_passes(task, leaves):
    check_base(task, leaves, HEAD)
    halves = {path: np.asfortranarray(leaf) for path, leaf in leaves.items()}
    check_base(task, dict(reversed(halves.items())), HEAD)


def test_digest_hashes_shape_and_float32_values():
    leaf = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = b"2,3\0" + b"".join(np.float32(x).tobytes() for x in range(6))
    assert digest_leaf(leaf) == hashlib.sha256(content).hexdigest()[:16]
    assert digest_leaf(leaf.T) != digest_leaf(leaf)
    assert digest_leaf(leaf.reshape(3, 2)) != digest_leaf(leaf)


@pytest.mark.parametrize("path", ["a/kernel", "b/kernel"])
def test_the_first_masked_tensor_that_differs_is_named(task, leaves, path):
    changed = leaves[path].copy()
    changed.ravel()[0] += 1e-6
    with pytest.raises(InputError, match=rf"{path} is not that of some/base.*--base"):
        check_base(task, {**leaves, path: changed}, HEAD)
    check_base(task, {**leaves, path: changed}, HEAD, allow_mismatch=True)


def test_changed_tensor_without_mask_is_refused(task, leaves):
    leaves["norm/scale"] = leaves["norm/scale"] + 1
    with pytest.raises(InputError, match="some other tensor"):
        check_base(task, leaves, HEAD)


def test_everything_that_does_not_fit_is_listed(task, leaves):
    del leaves["b/kernel"]
    leaves["a/kernel"] = leaves["a/kernel"].T
    expected = (
        r"a/kernel: expected shape \(7, 5\), got \(5, 7\); "
        r"b/kernel: the base has no such leaf; "
        r".*head/bias: missing"
    )
    for allow in (False, True):
        with pytest.raises(InputError, match=expected):
            check_base(task, leaves, {*HEAD, "head/bias"}, allow_mismatch=allow)
