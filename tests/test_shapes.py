"""Shapes and dtypes in annotations hold at run time; the package itself never imports jaxtyping."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The names of jaxtyping exist for type checkers only, so a process of its own imports the packages
# as a type checker sees them. The examples of all docstrings then run with every call checked.
PROGRAM = """
import doctest, importlib, pkgutil, sys, tempfile, typing
from pathlib import Path
# First: old releases of IPython add a folder to the path that has a package "tests" of its own.
from tests.tiny import write_toy_base
import beartype, jax, jax.numpy as jnp, numpy as np, pytest
import maskjax.masking, maskjax.models
from jaxtyping import TypeCheckError, install_import_hook

# What these two import from elsewhere is loaded, and they are not.
for name in [name for name in sys.modules if name.split(".")[0] == "maskjax"]:
    del sys.modules[name]
import maskjax, maskjax.config

typing.TYPE_CHECKING = True
with install_import_hook(["maskjax.masking", "maskjax.models"], "beartype.beartype"):
    import maskjax.masking, maskjax.models
    from maskjax.masking import binarizers, hard_threshold
    from maskjax.models import block, layers
typing.TYPE_CHECKING = False

base = str(write_toy_base(Path(tempfile.mkdtemp())))
examples = 0
for package in (maskjax.masking, maskjax.models):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        module = importlib.import_module(found.name)
        result = doctest.testmod(module, optionflags=flags, extraglobs={"base": base})
        assert not result.failed, found.name
        examples += result.attempted
assert examples > 100, examples

for family in ("bert", "roberta", "distilbert", "deberta-v2"):
    shape = {"vocab_size": 9, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2}
    shape |= {"intermediate_size": 8, "max_position_embeddings": 16}
    if family == "distilbert":
        shape |= {"dim": 4, "n_layers": 1, "n_heads": 2, "hidden_dim": 8}
    if family == "deberta-v2":
        shape |= {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "embedding_size": 6}
        shape |= {"norm_rel_ebd": "layer_norm", "conv_kernel_size": 3, "position_buckets": 4}
    config = maskjax.models.read_config({"model_type": family, **shape}, "tiny")
    for kind in ("classification", "regression", "tokens", "choice"):
        model = maskjax.models.build_model(config, 2, kind=kind)
        params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), model.abstract)
        ids = jnp.ones((4, 5), jnp.int32)
        inputs = {"input_ids": ids, "attention_mask": ids, "token_type_ids": 0 * ids}
        model.apply(params, inputs, key=jax.random.key(0))
        model.hidden_states(params, inputs)

for wrong in (
    lambda: binarizers._straight_through(jnp.ones(2), jnp.ones(3)),
    lambda: hard_threshold(np.ones(2)),
    lambda: layers.Dense(2, 3, jnp.float32)(jnp.ones((2, 2, 2))),
    lambda: block.Intermediate(config, jnp.float32)(jnp.ones((2, 4), jnp.int32)),
):
    with pytest.raises((TypeCheckError, beartype.roar.BeartypeCallHintViolation)):
        wrong()
print(examples)
"""


@pytest.mark.slow
def test_calls_keep_to_the_annotated_shapes():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    assert int(done.stdout) > 100


def test_jaxtyping_is_imported_for_type_checkers_only():
    package = ROOT / "maskjax"
    users = [p for p in package.rglob("*.py") if "jaxtyping" in p.read_text(encoding="utf8")]
    assert len(users) > 5
    for path in users:
        lines = path.read_text(encoding="utf8").splitlines()
        places = [n for n, line in enumerate(lines) if "jaxtyping" in line]
        assert all(lines[n - 1] == "if TYPE_CHECKING:" for n in places), path
