"""Where arrays live: on one device as they come, or divided among the devices of a mesh.

Arrays are placed, and the compiler divides the computation after them (GSPMD, Xu et al., 2021,
https://arxiv.org/abs/2105.04663). One table says by the paths of parameters which axes are divided.
Scores, moments of an optimizer and packed copies carry the path of their weight at the end of
their own, so that the table is for the whole state of training. `Layout` hides the mesh: for one
device it does nothing at all.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from maskjax.config import Config, MeshConfig
from maskjax.config.mesh import ALL_DEVICES
from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths, update_leaves
from maskjax.masking.distinct import once_per_array
from maskjax.masking.selection import choose

Tree = TypeVar("Tree")
DATA = "data"
"""The axis of devices that share the rows of a batch."""
MODEL = "model"
"""The axis of devices that share the matrices of a block."""

RULES = {
    # The first matrix of each half of a block is divided by its outputs, the second by its inputs:
    # between the two nothing is exchanged (Shoeybi et al., https://arxiv.org/abs/1909.08053).
    r".*/(self/\w+|intermediate/dense)/kernel": PartitionSpec(DATA, MODEL),
    r".*/(self/\w+|intermediate/dense)/bias": PartitionSpec(MODEL),
    r".*/layer/\d+/(attention/)?output/dense/kernel": PartitionSpec(MODEL, DATA),
    # Vectors, for the sizes of vocabularies rarely divide.
    r".*/embedding": PartitionSpec(None, DATA),
    r".*/kernel": PartitionSpec(DATA, None),
    r".*": PartitionSpec(),
}
"""`{pattern of paths: axes}`; the first pattern that matches a whole path decides."""


class Layout:
    """Places arrays, and holds them in place within compiled functions.

    Attributes:
        mesh: The mesh; None for one device.
    """

    def __init__(self, mesh: Mesh | None = None, *, fsdp: bool = False) -> None:
        self.mesh = mesh
        sizes = dict(mesh.shape) if mesh else {}
        self._whole_rows = {axis: n for axis, n in sizes.items() if axis != DATA}
        self._sizes = sizes if fsdp else self._whole_rows
        everywhere = NamedSharding(mesh, PartitionSpec()) if mesh else None
        self._copy = jax.jit(lambda tree: tree, out_shardings=everywhere)

    def place(self, params: Tree) -> Tree:
        """Puts parameters where the rules say."""
        if self.mesh is None:
            return jax.tree.map(once_per_array(jnp.asarray), params)
        return jax.tree.map(once_per_array(_put), params, self.shardings(params))

    def make(self, function: Callable[..., Tree], *arguments: Any) -> Tree:
        """Computes a value where the rules say, so that it never is on one device as a whole."""
        if self.mesh is None:
            return function(*arguments)
        shardings = self.shardings(jax.eval_shape(function, *arguments))
        return jax.jit(function, out_shardings=shardings)(*arguments)

    def batch(self, batch: Tree, *, seeds: int = 1) -> Tree:
        """Puts a batch on the devices, its rows divided among them."""
        if self.mesh is None:
            return jax.device_put(batch)
        rows = PartitionSpec(DATA) if seeds == 1 else PartitionSpec(None, DATA)
        sharding = NamedSharding(self.mesh, rows)
        return jax.tree.map(lambda leaf: _put(leaf, sharding), batch)

    def keep(self, tree: Tree) -> Tree:
        """Within a compiled function: holds a value where the rules say."""
        return self._constrain(tree, self._sizes)

    def gather(self, params: Tree) -> Tree:
        """Within a compiled function: collects weights for use, so that rows stay divided.

        They are computed where the rules say, for else the compiler may collect all that they are
        computed from, such as weights and masks in place of their product.
        """
        return self._constrain(self.keep(params), self._whole_rows)

    def replicate(self, tree: Tree) -> Tree:
        """Copies a value in full to every device."""
        return tree if self.mesh is None else self._copy(tree)

    def shardings(self, tree: Any) -> Any:
        """The shardings of a pytree of arrays, or of their shapes, on a mesh."""
        return self._shardings(tree, self._sizes)

    def _constrain(self, tree: Tree, sizes: dict[str, int]) -> Tree:
        if self.mesh is None:
            return tree
        return jax.lax.with_sharding_constraint(tree, self._shardings(tree, sizes))

    def _shardings(self, tree: Any, sizes: dict[str, int]) -> Any:
        mesh = self.mesh
        if mesh is None:
            raise ValueError("A layout on one device has no shardings.")
        return jax.tree.map(
            lambda spec: NamedSharding(mesh, spec),
            partition_specs(tree, sizes),
            is_leaf=lambda leaf: isinstance(leaf, PartitionSpec),
        )


ONE_DEVICE = Layout()
"""The layout of the main path."""


def make_layout(config: Config) -> Layout:
    """The layout that a configuration asks for."""
    data, model = _shape(config.mesh, jax.device_count())
    if jax.process_count() > 1 and data * model != jax.device_count():
        raise InputError(
            f"mesh: {jax.process_count()} hosts share all of their {jax.device_count()} devices, "
            f"got data {config.mesh.data} x model {model}; set --mesh.data -1."
        )
    if data * model == 1:
        return ONE_DEVICE
    rows = config.train.batch_size // config.train.accumulate
    if rows % data:
        raise InputError(
            f"train.batch_size: expected a multiple of mesh.data x train.accumulate = {data} x "
            f"{config.train.accumulate}, got {config.train.batch_size}; set --train.batch-size or "
            "--mesh.data."
        )
    devices = jax.devices()[: data * model]
    mesh = jax.make_mesh((data, model), (DATA, MODEL), (AxisType.Auto,) * 2, devices=devices)
    return Layout(mesh, fsdp=config.mesh.fsdp)


def _shape(config: MeshConfig, devices: int) -> tuple[int, int]:
    data = devices // config.model if config.data == ALL_DEVICES else config.data
    count = data * config.model
    if not 1 <= count <= devices or (config.data == ALL_DEVICES and count != devices):
        raise InputError(
            f"mesh: data {config.data} x model {config.model} does not fit the {devices} devices "
            "that there are; set --mesh.data and --mesh.model."
        )
    return data, config.model


def _put(leaf: Any, sharding: NamedSharding) -> jax.Array:
    if isinstance(leaf, jax.Array) and leaf.sharding == sharding:
        return leaf
    array = np.asarray(leaf)
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def partition_spec(path: str, shape: tuple[int, ...], sizes: dict[str, int]) -> PartitionSpec:
    """How an array is divided.

    Example:
        >>> path = "encoder/layer/0/attention/self/query/kernel"
        >>> tuple(partition_spec(path, (16, 16), {"data": 4, "model": 2}))
        ('data', 'model')
        >>> tuple(partition_spec(path, (3, 16, 18), {"model": 4}))
        (None, None, None)
    """
    rule = choose(path, RULES)
    before = len(shape) - len(rule)
    if before < 0:
        return PartitionSpec()
    axes = zip(shape[before:], rule, strict=True)
    divided = [axis if axis in sizes and n % sizes[axis] == 0 else None for n, axis in axes]
    return PartitionSpec(*(None,) * before, *divided)


def partition_specs(tree: Any, sizes: dict[str, int]) -> Any:
    """How every array of a pytree is divided."""
    leaves = flatten_with_paths(tree)
    specs = {path: partition_spec(path, leaf.shape, sizes) for path, leaf in leaves.items()}
    return update_leaves(tree, specs)
