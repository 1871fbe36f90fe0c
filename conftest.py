"""What examples in docstrings use without making it.

`base` is the folder of a pretrained encoder, `rows` a folder with train.tsv, dev.tsv and test.tsv,
`config` a run of seconds on both, `trained` the folder of that run, and `folder` an empty folder.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from maskjax.config import Config

# tests/conftest.py sets the environment that jax and huggingface_hub read when they are imported,
# and it is loaded after this file: so each fixture imports what it needs.


@pytest.fixture(scope="session")
def example_config(tmp_path_factory: pytest.TempPathFactory) -> "Config":
    from maskjax.config import Config, ModelConfig, OptimizerConfig, TaskConfig, TrainConfig
    from tests.tiny import write_toy_base, write_toy_rows

    base, rows = (tmp_path_factory.mktemp(name) for name in ("base", "rows"))
    return Config(
        model=ModelConfig(base=str(write_toy_base(base))),
        task=TaskConfig(path=str(write_toy_rows(rows)), max_length=32, cache=False),
        optimizer=OptimizerConfig(learning_rate=1e-2),
        train=TrainConfig(batch_size=16, epochs=1, buckets=(16,)),
    )


@pytest.fixture(scope="session")
def example_run(example_config: "Config", tmp_path_factory: pytest.TempPathFactory) -> Path:
    import jax

    from maskjax.training import run

    folder = tmp_path_factory.mktemp("trained") / "run"
    with jax.numpy_dtype_promotion("standard"):
        run(example_config, folder)
    return folder


@pytest.fixture(autouse=True)
def names_of_examples(
    request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]
) -> Iterator[None]:
    """Defines the names that an example mentions; optax needs the standard promotion of dtypes."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    import jax

    source = "".join(example.source for example in request.node.dtest.examples)
    mentioned = set(re.findall(r"\w+", source))
    if mentioned & {"config", "base", "rows"}:
        config = request.getfixturevalue("example_config")
        doctest_namespace |= {"config": config, "base": config.model.base, "rows": config.task.path}
    if "trained" in mentioned:
        doctest_namespace["trained"] = request.getfixturevalue("example_run")
    if "folder" in mentioned:
        doctest_namespace["folder"] = request.getfixturevalue("tmp_path")
    with jax.numpy_dtype_promotion("standard"):
        yield
