"""What a training step takes on a TPU v5e: the TPU compiler's own figures, without a TPU.

    pip install libtpu
    python -m benchmarks.tpu_memory                              # BERT-base, 32 x 128, one chip
    python -m benchmarks.tpu_memory --chips 8 --mesh.data 4 --mesh.model 2 --mesh.fsdp
    python -m benchmarks.tpu_memory --size modernbert-long --precisions bfloat16 [--dense]
    python -m benchmarks.tpu_memory --size modernbert-batch --precisions bfloat16 --accumulate 4

A program takes half a minute and more to compile. Peak is what the chip holds at most, arguments
included: frozen weights, the trainable and the optimizer's state. Bytes are those that a step
reads and writes. With several chips all figures are those of one of them.
"""

import json
import os
import re
from collections import Counter
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
# Its lock keeps two processes from one chip, and here there is no chip.
os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")

import jax
import jax.numpy as jnp
import tyro
from jax.experimental import topologies
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding
from packaging.version import Version
from rich.console import Console
from rich.table import Table

from benchmarks.harness import Size, make_batch, make_encoder
from maskjax.adaptation import make_adaptation
from maskjax.config import AdaptationConfig, MeshConfig, OptimizerConfig, TrainConfig
from maskjax.inference import make_predict, model_inputs
from maskjax.models import Model, build_model, cast_matrices
from maskjax.training import init_state, make_loss, make_optimizer, make_train_step
from maskjax.training.sharding import DATA, MODEL, ONE_DEVICE, Layout

SIZES = {
    "tiny": Size(2, 192, 768, rows=32, tokens=128),
    "base": Size(12, 768, 3072, rows=32, tokens=128),
    "large": Size(24, 1024, 4096, rows=32, tokens=128, heads=16),
    "deberta": Size(12, 768, 3072, rows=32, tokens=128, family="deberta-v2"),
    "modernbert": Size(22, 768, 1152, rows=32, tokens=128, family="modernbert"),
    "modernbert-long": Size(22, 768, 1152, rows=1, tokens=4096, family="modernbert"),
    "modernbert-batch": Size(22, 768, 1152, rows=8, tokens=4096, family="modernbert"),
}
POLICIES = ("nothing", "masked_weights", "blocks")
PREDICT = "predict"


class Precision(NamedTuple):
    """Dtypes of a step: of its products, of frozen matrices, of first moments."""

    compute: str = "float32"
    frozen: str = "float32"
    moments: str = "float32"


PRECISIONS = {
    "float32": Precision(),
    "bfloat16": Precision(compute="bfloat16"),
    "lean": Precision("bfloat16", "bfloat16", "bfloat16"),
}
"""What finetuning trains is not frozen, so in its lean steps only moments are smaller."""
EVERY_CHIP = MeshConfig(data=-1)
OLDEST_WITH_LAYOUTS = Version("0.0.23")
"""Before it, a libtpu without a chip has no default layouts."""
COLLECTIVE = re.compile(r" (all-[a-z]+|reduce-scatter|collective-permute)(?:-start)?\(")


class Figures(NamedTuple):
    """What the compiler says of a step, of one chip.

    Attributes:
        frozen: Bytes of the weights that are read and not changed, of all chips together.
        state: Bytes of what is trained with its optimizer's state, of all chips together.
        peak: Bytes in use at most.
        temporary: Bytes in addition to arguments and results.
        accessed: Bytes read and written.
        operations: Floating-point operations.
        collectives: `{name: count}`.
    """

    frozen: int
    state: int
    peak: int
    temporary: int
    accessed: float
    operations: float
    collectives: dict[str, int]


def use_compiler_of_old_libtpu() -> None:
    """Lets jax compile with a libtpu that crashes when it is asked for default layouts.

    jax asks for them after the program is compiled, to speed up calls of it, and nothing is called
    here. Colab ships such a libtpu, 0.0.21.1, whose compiler itself works.
    """
    if Version(metadata.version("libtpu")) < OLDEST_WITH_LAYOUTS:
        from jax._src.interpreters import pxla

        pxla.is_default_layout = lambda *_: True  # pyright: ignore[reportAttributeAccessIssue]


def main(
    *,
    size: str = "base",
    methods: tuple[str, ...] = ("finetune", "mask", "lora"),
    policies: tuple[str, ...] = POLICIES,
    precisions: tuple[str, ...] = tuple(PRECISIONS),
    chips: int = 1,
    mesh: MeshConfig = EVERY_CHIP,
    dense: bool = False,
    accumulate: int = 1,
    out: Path | None = None,
) -> None:
    """Prints a table.

    Args:
        size: tiny, base, large, deberta, modernbert, modernbert-long (1 x 4,096), or
            modernbert-batch (8 x 4,096).
        methods: Some of finetune, mask, lora, head and bitfit; predict is a forward pass.
        policies: Some of nothing, masked_weights and blocks; the second is for mask alone.
        precisions: Some of float32, bfloat16 (activations and products) and lean (frozen matrices
            and first moments too).
        chips: 1 or 8.
        mesh: How 8 chips are divided.
        dense: Let every block attend to all tokens, as if none had a window.
        accumulate: Parts that a step goes through its rows in, as --train.accumulate.
        out: A JSON file for the figures.
    """
    layout = ONE_DEVICE if chips == 1 else make_tpu_layout(mesh, chips)
    table = Table(
        "step", "frozen MB", "state MB", "peak MB", "temp MB", "GB accessed", "TFLOP", "collectives"
    )
    found = {}
    for method, remat, precision in (
        (m, r, p)
        for p in precisions
        for m in methods
        for r in policies
        if m == "mask" or r != POLICIES[1]
        if m != PREDICT or r == policies[0]
    ):
        name = f"{method}, {precision}, {remat}"
        shape = SIZES[size]._replace(dense=dense)
        if method == PREDICT:
            some = compile_predict(shape, precision, layout, accumulate)
        else:
            some = compile_step(shape, method, remat, precision, layout, accumulate=accumulate)
        found[name] = some._asdict()
        table.add_row(
            name,
            f"{some.frozen / 1e6:,.0f}",
            f"{some.state / 1e6:,.0f}",
            f"{some.peak / 1e6:,.0f}",
            f"{some.temporary / 1e6:,.0f}",
            f"{some.accessed / 1e9:.1f}",
            f"{some.operations / 1e12:.2f}",
            ", ".join(f"{count} {name}" for name, count in sorted(some.collectives.items())),
        )
    Console().print(table)
    if out:
        out.write_text(json.dumps(found, indent=2))


def make_tpu_layout(mesh: MeshConfig, chips: int = 8) -> Layout:
    """A layout on chips that are described, not there."""
    use_compiler_of_old_libtpu()
    topology = topologies.get_topology_desc(platform="tpu", topology_name=f"v5e:2x{chips // 2}")
    shape = (chips // mesh.model if mesh.data == -1 else mesh.data, mesh.model)
    axes = (AxisType.Auto,) * 2
    devices = topologies.make_mesh(topology, shape, (DATA, MODEL)).devices
    return Layout(Mesh(devices, (DATA, MODEL), axis_types=axes), fsdp=mesh.fsdp)


def compile_step(
    size: Size, method: Any, remat: Any, precision: str, layout: Layout, *, accumulate: int = 1
) -> Figures:
    """Compiles a training step for the chips of a layout, or for one."""
    dtypes = PRECISIONS[precision]
    model = build_model(
        make_encoder(size, dropout=0.0),
        2,
        compute_dtype=jnp.dtype(dtypes.compute),
        remat_blocks=remat == "blocks",
    )
    adaptation = make_adaptation(AdaptationConfig(method=method), model)
    optimizer = make_optimizer(OptimizerConfig(moment_dtype=dtypes.moments), 1000)  # pyright: ignore[reportArgumentType]
    loss = make_loss("classification")
    train = TrainConfig(batch_size=size.rows, remat=remat, accumulate=accumulate)
    step = make_train_step(model, adaptation, optimizer, loss, layout=layout, train=train)
    params = _frozen(model, method, dtypes.frozen)
    state = jax.eval_shape(
        lambda params: init_state(adaptation, optimizer, params, jax.random.key(0)), params
    )
    batch = make_batch(size, model.config.vocab_size)
    arguments = [*(_placed(some, layout) for some in (state, params)), _rows(batch, layout)]
    frozen = 0 if method == "finetune" else _nbytes(params)  # finetuning never reads them
    return _figures(frozen, _nbytes(state), step.lower(*arguments).compile())  # pyright: ignore[reportFunctionMemberAccess]


def compile_predict(size: Size, precision: str, layout: Layout, parts: int) -> Figures:
    """Compiles the forward pass of an evaluation."""
    dtypes = PRECISIONS[precision]
    model = build_model(make_encoder(size, dropout=0.0), 2, compute_dtype=jnp.dtype(dtypes.compute))
    params = _frozen(model, "mask", dtypes.frozen)
    inputs = model_inputs(make_batch(size, model.config.vocab_size))
    predict: Any = make_predict(model, parts)
    lowered = predict.lower(_placed(params, layout), _rows(inputs, layout))
    return _figures(_nbytes(params), 0, lowered.compile())


def _frozen(model: Model, method: str, dtype: str) -> Any:
    if method == "finetune":
        return model.abstract
    return jax.eval_shape(lambda params: cast_matrices(params, model, dtype), model.abstract)


def _placed(tree: Any, layout: Layout) -> Any:
    if layout.mesh is None:
        chip = one_chip()
        return jax.tree.map(lambda leaf: _shape(leaf, chip), tree)
    return jax.tree.map(_shape, tree, layout.shardings(tree))


def _rows(batch: Any, layout: Layout) -> Any:
    chip = one_chip() if layout.mesh is None else NamedSharding(layout.mesh, PartitionSpec(DATA))
    return jax.tree.map(lambda leaf: _shape(leaf, chip), batch)


def _shape(leaf: Any, sharding: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


@cache
def one_chip() -> SingleDeviceSharding:
    """The one chip of a v5e that is described, not there."""
    use_compiler_of_old_libtpu()
    topology = topologies.get_topology_desc(
        platform="tpu", topology_name="v5e:1x1", chips_per_host_bounds=[1, 1, 1]
    )
    return SingleDeviceSharding(topology.devices[0])


def _nbytes(tree: Any) -> int:
    arrays = (leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.number))
    return sum(leaf.size * leaf.dtype.itemsize for leaf in arrays)


def _figures(frozen: int, state: int, compiled: Any) -> Figures:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    return Figures(
        frozen,
        state,
        memory.peak_memory_in_bytes,
        memory.temp_size_in_bytes,
        cost["bytes accessed"],
        cost["flops"],
        dict(Counter(COLLECTIVE.findall(compiled.as_text()))),
    )


if __name__ == "__main__":
    tyro.cli(main)
