"""Mutated files of torch.save and safetensors: refused in one line, or imported and saved.

The short run is part of every test run; the long one is `pytest -m slow tests/export`.
"""

import collections
import resource
import warnings

import numpy as np
import pytest
import safetensors.numpy

from benchmarks.torch_mutants import byte_mutants, torch_mutants
from maskjax.config import Config, ModelConfig, TaskConfig
from maskjax.errors import InputError
from maskjax.export import import_state, read_state_dict, save_imported
from maskjax.models import load_base

torch = pytest.importorskip("torch", reason="needs PyTorch, which writes these files")
CONFIG = Config(model=ModelConfig(base="b"), task=TaskConfig(name="mine"))
LONG = 4000
MEMORY = 1 << 26
"""Bytes by which the process may grow."""


@pytest.fixture(scope="module")
def base(base_of):
    return load_base(base_of("bert"))


@pytest.fixture(scope="module")
def payloads(tmp_path_factory):
    """A state dict in the zip form, among numbers of NumPy, in the older form, as safetensors."""
    torch.manual_seed(0)
    modules = {"classifier": (3, 16), "bert.encoder.layer.1.output.dense": (16, 24)}
    state = collections.OrderedDict()
    for number, (module, shape) in enumerate(modules.items()):
        dtype = (torch.float32, torch.float16)[number]
        state[f"{module}.weight_mask"] = torch.rand(shape, dtype=dtype) - 0.05
    state["classifier.weight"] = torch.nn.Parameter(torch.randn(16, 3).t())
    state["classifier.bias"] = torch.randn(9)[3:6]
    whole = {"step": 3, "score": np.float64(0.5), "state_dict": state}
    return [
        save(state, tmp_path_factory.mktemp("zip")),
        save(whole, tmp_path_factory.mktemp("whole")),
        save(state, tmp_path_factory.mktemp("older"), _use_new_zipfile_serialization=False),
        safetensors.numpy.save({n: t.detach().numpy() for n, t in state.items()}),
    ]


def save(content, folder, **options):
    torch.save(content, folder / "state.pt", **options)
    return (folder / "state.pt").read_bytes()


def run(payloads, base, count, folder, *, saves=False):
    """How many mutants were read; all others were refused in one line."""
    read = 0
    for mutant in all_mutants(payloads, count):
        path = folder / "mutant.pt"
        path.write_bytes(mutant)
        try:
            imported = import_state(read_state_dict(path), base)
            if saves:
                save_imported(imported, base, CONFIG, folder / str(read))
        except InputError as error:
            check_one_line(str(error))
        else:
            read += 1
    return read


def all_mutants(payloads, count):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of zipfile, which writes a name twice
        for seed, payload in enumerate(payloads):
            make = byte_mutants if payload[8:9] == b"{" else torch_mutants
            yield from list(make(payload, count, seed))


def check_one_line(message):
    assert message.isprintable()
    assert len(message) < 3000


def test_the_unchanged_files_are_read(payloads, base, tmp_path):
    for payload in payloads:
        (tmp_path / "state.pt").write_bytes(payload)
        imported = import_state(read_state_dict(tmp_path / "state.pt"), base)
        assert imported.num_outputs == 3
        assert len(imported.delta.masks) == 2


def test_mutants_are_refused_or_imported(payloads, base, tmp_path):
    assert 10 < run(payloads, base, 100, tmp_path) < 300


@pytest.mark.slow
def test_many_mutants_are_refused_or_imported(payloads, base, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read = run(payloads, base, LONG // len(payloads), tmp_path, saves=True)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{LONG} mutants, {read} read, {LONG - read} refused, {grown / 1024:.0f} MiB more")
    assert 1024 * grown < MEMORY
