"""Files of torch.save and safetensors, read without PyTorch, against what torch.load reads."""

import argparse
import collections
import io
import pickle
import struct
import sys
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from maskjax.errors import InputError
from maskjax.export import read_state_dict

torch = pytest.importorskip("torch", reason="needs PyTorch, which writes these files")
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8")
FORMS = [(zipped, protocol) for zipped in (True, False) for protocol in (2, 4, 5)]


def make_state():
    """Tensors of every dtype, and every way to lie in a storage."""
    torch.manual_seed(0)
    flat = torch.randn(100)
    state = collections.OrderedDict({
        "a.transposed": torch.randn(4, 3).t(),
        "a.slice": torch.randn(10, 10)[2:5, 1:8:2],
        "a.scalar": torch.tensor(3.5),
        "a.empty": torch.zeros(0, 3),
        "a.weight_mask": torch.ones(1).expand(3, 4),
        "a.parameter": torch.nn.Parameter(torch.randn(2, 2)),
        "a.bool": torch.tensor([True, False]),
        "b.first": flat[:50].view(5, 10),
        "b.second": flat[50:],
        "b.all": flat,
    })  # fmt: skip
    return state | {f"c.{name}": torch.arange(7).to(getattr(torch, name)) for name in DTYPES}


def in_numpy(tensor):
    plain = tensor.detach()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()


def check_equal(read, state):
    assert list(read) == list(state)
    for name, tensor in state.items():
        array = np.asarray(read[name])
        assert str(tensor.dtype) == f"torch.{read[name].dtype}"
        assert array.shape == read[name].shape == tuple(tensor.shape)
        np.testing.assert_array_equal(array.astype(in_numpy(tensor).dtype), in_numpy(tensor))


@pytest.mark.parametrize(("zipped", "protocol"), FORMS)
def test_state_dict_equals_torch_load(zipped, protocol, tmp_path):
    state = make_state()
    content = {
        "step": 3,
        "scores": {"dev": np.float64(0.5), "tags": [np.float32(1), np.bool_(True), None]},
        "confusion": np.ones((2, 2)),
        "arguments": argparse.Namespace(lr=0.1, layers=[2, 3]),
        "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]},
        "loss": torch.tensor(1.0),
        "batch": {"input_ids": torch.ones(2, 3), "attention_mask": torch.ones(2, 3)},
        "model": state,
    }
    for saved in (state, content):
        options = {"_use_new_zipfile_serialization": zipped, "pickle_protocol": protocol}
        torch.save(saved, tmp_path / "file", **options)
        check_equal(read_state_dict(tmp_path / "file"), state)


def test_the_other_byte_order_is_read(tmp_path):
    """Bytes of storages are swapped by hand, as a machine of the other order writes them."""
    numbers, halves = np.arange(5, dtype=np.float32), np.arange(3, dtype=np.float16)
    state = {"a.x": torch.tensor(numbers), "a.y": torch.tensor(halves).bfloat16()}
    torch.save(state, tmp_path / "little")
    swapped = {
        "byteorder": b"big",
        "data/0": numbers.byteswap().tobytes(),
        "data/1": halves.astype(np.float32).view(np.uint16)[1::2].byteswap().tobytes(),
    }
    with zipfile.ZipFile(tmp_path / "little") as little, zipfile.ZipFile(tmp_path / "b", "w") as b:
        for name in little.namelist():
            b.writestr(name, swapped.get(name.partition("/")[2], little.read(name)))
    check_equal(read_state_dict(tmp_path / "b"), state)


def test_dicts_of_python_2_are_read(tmp_path):
    """An OrderedDict of pairs, texts as bytes, integers as long: written out by hand."""
    storage = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x03tQ"
    tensor = b"ctorch._utils\n_rebuild_tensor\n(" + storage + b"K\x00(K\x03t(L1L\nttR"
    pairs = b"(lp0\n(lp1\nU\x03a.xa" + tensor + b"aa"
    content = b"\x80\x02ccollections\nOrderedDict\n(" + pairs + b"tR."
    data = np.array([1, 2, 3], "<f4").tobytes()
    with zipfile.ZipFile(tmp_path / "old", "w") as file:
        for name, part in {"data.pkl": content, "data/0": data}.items():
            file.writestr(f"archive/{name}", part)
    np.testing.assert_array_equal(read_state_dict(tmp_path / "old")["a.x"], [1, 2, 3])


def test_file_format_follows_from_the_content(tmp_path):
    state = {"a.x": np.arange(3, dtype=np.float32)}
    save_file(state, tmp_path / "model.bin")
    torch.save({"a.x": torch.arange(3.0)}, tmp_path / "model")
    for name in ("model.bin", "model"):
        np.testing.assert_array_equal(read_state_dict(tmp_path / name)["a.x"], state["a.x"])


def test_pytorch_is_not_imported(tmp_path, monkeypatch):
    state = make_state()
    torch.save(state, tmp_path / "state.pt")
    monkeypatch.setitem(sys.modules, "torch", None)
    assert list(read_state_dict(tmp_path / "state.pt")) == list(state)


class Runs:
    def __reduce__(self):
        return print, ("this ran",)


def test_nothing_in_a_file_is_executed(tmp_path, capsys):
    torch.save({"model": {"a.x": torch.ones(2)}, "other": Runs()}, tmp_path / "file")
    np.testing.assert_array_equal(read_state_dict(tmp_path / "file")["a.x"], [1, 1])
    assert not capsys.readouterr().out


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_state_dict(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    return message


TWO = {"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}}
CONTENTS = {
    "a list without one": [1, 2],
    "2 of them (['a'], ['b'])": TWO,
    "an object of torch.nn.modules.linear.Linear": torch.nn.Linear(2, 2),
    "a.x is made by torch._utils._rebuild_sparse_tensor": {"a.x": torch.eye(2).to_sparse()},
    "a.x has the dtype torch.ComplexFloatStorage": {"a.x": torch.ones(2, dtype=torch.complex64)},
    r"x\x1b[31m y": {"x\x1b[31m\ny": torch.ones(2, dtype=torch.complex64)},
}


@pytest.mark.parametrize("reason", CONTENTS)
def test_other_contents_are_refused_with_the_reason(reason, tmp_path):
    torch.save(CONTENTS[reason], tmp_path / "file")
    assert reason in refusal(tmp_path / "file")


def test_other_files_are_refused_with_the_reason(tmp_path):
    (tmp_path / "junk.pt").write_bytes(b"nothing")
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "junk.safetensors").write_bytes(b"nothing")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"a": 1}))
    assert "neither a file of torch.save nor" in refusal(tmp_path / "junk.pt")
    assert "neither a file of torch.save nor" in refusal(tmp_path / "empty.pt")
    assert "damaged" in refusal(tmp_path / "junk.safetensors")
    assert "a pickle that torch.save did not write" in refusal(tmp_path / "plain.pkl")
    assert "no such file" in refusal(tmp_path / "absent.pt")
    assert "a folder" in refusal(tmp_path)


def zip_of(path, **entries):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in entries.items():
            file.writestr(f"archive/{name}", content)
    return path


def test_deeply_nested_pickle_is_refused_without_overflow(tmp_path):
    """The hash of a tuple within many tuples overflows the stack of CPython."""
    deep = b"\x80\x02})" + b"\x85" * 200_000 + b"Ns."
    assert "a dict without one" in refusal(zip_of(tmp_path / "deep", **{"data.pkl": deep}))


def test_declared_sizes_allocate_nothing(tmp_path):
    """An index, a text and a number of storages that unpicklers allocate memory for."""
    for code in (b"Nr\xff\xff\xff\x7f.", b"\x8d" + struct.pack("<Q", 2**62) + b"x."):
        refusal(zip_of(tmp_path / "file", **{"data.pkl": b"\x80\x04" + code}))
    (tmp_path / "sparse").write_bytes(zip_of(tmp_path / "file", x=b"").read_bytes()[:30])
    with (tmp_path / "sparse").open("r+b") as file:
        file.truncate(1 << 33)
    assert "damaged" in refusal(tmp_path / "sparse")


def test_a_directory_of_a_million_entries_is_not_read(tmp_path):
    """Written out by hand: one entry of the directory, again and again, and its right size."""
    data = zip_of(tmp_path / "file", x=b"").read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    directory = data[start:end] * 200_000
    size = struct.pack("<II", len(directory), start)
    (tmp_path / "file").write_bytes(
        data[:start] + directory + data[end : end + 12] + size + b"\0\0"
    )
    assert "there is too much before its tensors" in refusal(tmp_path / "file")


def test_slice_of_a_large_storage_is_read(tmp_path):
    torch.save({"a.x": torch.arange(1 << 20)[5:9]}, tmp_path / "file")
    np.testing.assert_array_equal(read_state_dict(tmp_path / "file")["a.x"], [5, 6, 7, 8])


def test_corrupted_storage_is_detected_when_read(tmp_path):
    torch.save({"a.x": torch.arange(64.0)}, tmp_path / "file")
    data = bytearray((tmp_path / "file").read_bytes())
    data[data.index(np.arange(64, dtype=np.float32).tobytes()) + 9] ^= 1
    (tmp_path / "file").write_bytes(data)
    stored = read_state_dict(tmp_path / "file")["a.x"]
    with pytest.raises(InputError, match="another checksum"):
        np.asarray(stored)


def test_compressed_files_are_refused_by_name(tmp_path):
    torch.save({"a.x": torch.ones(2)}, tmp_path / "file")
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(tmp_path / "file") as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    (tmp_path / "file").write_bytes(buffer.getvalue())
    assert "compressed" in refusal(tmp_path / "file")
