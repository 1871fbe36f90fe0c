"""What many tasks take in memory: measured, by holding them, as the paper's figure 3 counts it.

Each method runs in a process of its own, which loads the base and then holds one task after the
other in the form in which it would be served.
"""

import gc
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, Literal, NamedTuple, get_args

import jax
import numpy as np
import psutil

from maskjax import models
from maskjax.adaptation import Mask, make_adaptation
from maskjax.config import AdaptationConfig
from maskjax.masking.distinct import distinct_leaves
from maskjax.masking.packed import pack_bit_planes
from maskjax.models import Model, build_model, load_base, with_head
from maskjax.models.model import Params
from maskjax.progress import announced

Method = Literal["mask", "lora", "finetune"]
METHODS: tuple[Method, ...] = get_args(Method)
CLASSES = 2
"""The number of classes of the tasks that are held."""


class Footprint(NamedTuple):
    """Memory in use."""

    method: Method
    tasks: int  # held in addition to the base
    bytes: int  # of the base and the tasks


def measure_footprints(
    base: str,
    counts: Sequence[int],
    *,
    revision: str | None = None,
    unshare: bool = False,
    offline: bool = False,
) -> Iterator[Footprint]:
    """Measures all methods at several numbers of tasks.

    The base counts with the bytes of its arrays. What tasks add is what the allocator of the device
    has given away since. The CPU has no such counter: there it is what all live arrays take, a
    buffer that several share counted once.
    """
    for method in METHODS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            options = {"unshare": unshare, "offline": offline}
            call = process.submit(measure, method, base, counts, revision, **options)
            with announced(f"measuring {method}"):
                found = call.result()
            yield from found


def live_bytes() -> int:
    """Bytes of all arrays that JAX holds, a buffer that several share counted once."""
    buffers = {array.unsafe_buffer_pointer(): array.nbytes for array in jax.live_arrays()}
    return sum(buffers.values())


def measure(
    method: Method,
    base: str,
    counts: Sequence[int],
    revision: str | None = None,
    *,
    unshare: bool = False,
    offline: bool = False,
) -> list[Footprint]:
    """Measures one method in this process."""
    loaded = load_base(base, revision=revision, offline=offline)
    loaded = models.unshare(loaded) if unshare else loaded
    model = build_model(loaded.config, CLASSES)
    params = with_head(loaded.params, model, jax.random.key(0))
    sample = _served(method, model, params)
    size, whole = _nbytes(sample), _nbytes(distinct_leaves(loaded.params))
    gc.collect()
    before = _used_bytes()
    held, sizes = [], []
    for count in counts:
        if (count - len(held)) * size > _free_bytes():
            break
        held += [jax.device_put(jax.tree.map(np.copy, sample)) for _ in range(count - len(held))]
        jax.block_until_ready(held)
        sizes.append(Footprint(method, count, whole + _used_bytes() - before))
    return sizes


def _served(method: Method, model: Model, params: Params) -> Any:
    """A task as programs take it, in host memory: masks packed, all else as it is."""
    adaptation = make_adaptation(AdaptationConfig(method=method), model)
    delta = adaptation.finalize(adaptation.init(jax.random.key(0), params), params)
    planes = {path: pack_bit_planes(np.asarray(mask)) for path, mask in delta.masks.items()}
    return planes, jax.tree.map(np.asarray, delta.without(Mask))


def _nbytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(tree))


def _used_bytes() -> int:
    stats = jax.local_devices()[0].memory_stats()
    return stats["bytes_in_use"] if stats else live_bytes()


def _free_bytes() -> int:
    stats = jax.local_devices()[0].memory_stats()
    if stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    return psutil.virtual_memory().available
