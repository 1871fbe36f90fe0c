"""A reader of the files of `torch.save`, without PyTorch and without running code in them.

The zip form (PyTorch 1.6 and later) has a pickle `data.pkl` and an entry `data/KEY` for each
storage, none of them compressed. The older form is a sequence of pickles, then all storages.
"""

import io
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from maskjax.errors import InputError, printable
from maskjax.export.file_region import BudgetFile, Region
from maskjax.export.pickled import read_pickle
from maskjax.export.torch_tensors import read_id

ZIP_START = b"PK\x03\x04"
PICKLE_START = b"\x80"
PICKLE, ORDER, STORAGE = "data.pkl", "byteorder", "data/"
"""Entries of a zip file: the pickle, the byte order, and the prefix of the storages."""
OLDER_MAGIC = 0x1950A86A20F9469CFC6C
OLDER_VERSION = 1001
MAX_PICKLE = 1 << 26
"""The maximum number of bytes of the pickles, whose instructions are bounded too."""
MAX_DIRECTORY = 1 << 22
"""The maximum number of bytes of a zip directory: some 40,000 entries."""
SAVE = "save it with torch.save(model.state_dict(), file)"
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, then the lengths of the name and of the extra field."""
BAD_ZIP = (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error)
"""The exceptions of zipfile for a damaged directory."""


class TorchFile(NamedTuple):
    """A file of `torch.save`."""

    content: Any  # the saved object, with a `Call` in place of each tensor
    regions: Mapping[str, Region]  # the region of each storage, by key
    swapped: bool  # whether the byte order differs from that of this machine


def open_torch_file(path: Path) -> TorchFile:
    """Reads everything but the storages."""
    with path.open("rb") as opened:
        signature, size = opened.read(len(ZIP_START)), path.stat().st_size
        opened.seek(0)
        if signature == ZIP_START:
            return _open_zip(path, BudgetFile(opened, size, MAX_DIRECTORY))
        if signature.startswith(PICKLE_START):
            return _open_older(path, BudgetFile(opened, size, MAX_PICKLE))
    raise InputError("is neither a file of torch.save nor a safetensors file, or it is damaged")


def _open_zip(path: Path, file: BudgetFile) -> TorchFile:
    try:
        with zipfile.ZipFile(cast(IO[bytes], file)) as archive:
            entries = archive.infolist()
    except BAD_ZIP as error:
        reason = printable(str(error))
        raise InputError(f"is damaged or not whole, its zip directory ({reason})") from error
    roots = [e.filename[: -len(PICKLE)] for e in entries if e.filename.endswith(f"/{PICKLE}")]
    if len(roots) != 1:
        raise InputError(f"has {len(roots)} entries {PICKLE}; torch.save writes one")
    regions: dict[str, Region] = {}
    for entry in entries:
        name = entry.filename.removeprefix(roots[0])
        # Other entries, such as the code of TorchScript, are never read.
        if name in (PICKLE, ORDER) or name.startswith(STORAGE):
            if name in regions:
                raise InputError(f"is damaged: it has two entries {printable(name)}")
            regions[name] = _entry_region(path, file, entry)
    order = regions[ORDER].read(8) if ORDER in regions else b"little"
    if order not in (b"little", b"big"):
        raise InputError("is damaged: its byte order is neither little nor big")
    content = read_pickle(io.BytesIO(regions[PICKLE].read(MAX_PICKLE))).content
    storages = {n.removeprefix(STORAGE): r for n, r in regions.items() if n.startswith(STORAGE)}
    return TorchFile(content, storages, order.decode() != sys.byteorder)


def _entry_region(path: Path, file: BudgetFile, entry: zipfile.ZipInfo) -> Region:
    name = printable(entry.filename)
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise InputError(
            f"has a compressed or encrypted entry, {name}, which torch.save never writes; load it "
            "in PyTorch and save it again"
        )
    header = b""
    if 0 <= entry.header_offset < file.size:
        file.seek(entry.header_offset)
        header = file.read(LOCAL_HEADER.size)
    if len(header) < LOCAL_HEADER.size or not header.startswith(ZIP_START):
        raise InputError(f"is damaged: {name} is not at the offset in its zip directory")
    _, name_size, extra_size = LOCAL_HEADER.unpack(header)
    start = entry.header_offset + LOCAL_HEADER.size + name_size + extra_size
    if start + entry.file_size > file.size:
        raise InputError(f"is damaged or not whole: {name} ends beyond it")
    return Region(path, start, entry.file_size, entry.CRC)


def _open_older(path: Path, file: BudgetFile) -> TorchFile:
    if read_pickle(file).content != OLDER_MAGIC:
        raise InputError(f"is a pickle that torch.save did not write; {SAVE}")
    if read_pickle(file).content != OLDER_VERSION:
        raise InputError(f"is damaged, or of another version than {OLDER_VERSION}")
    system, saved, keys = (read_pickle(file) for _ in range(3))
    is_little_endian = not isinstance(system.content, dict) or system.content.get(
        "little_endian", True
    )
    sizes = {storage.key: storage.dtype.itemsize for storage in map(read_id, saved.references)}
    regions = {}
    for key in keys.content if isinstance(keys.content, list) else ():
        if not isinstance(key, str) or key not in sizes:
            raise InputError("is damaged: it has a storage that no tensor uses")
        (length,) = struct.unpack(
            f"{'<' if is_little_endian else '>'}q", file.read(8).rjust(8, b"\xff")
        )
        regions[key] = Region(path, file.tell(), length * sizes[key], None)
        if length < 0 or not file.skip(length * sizes[key]):
            raise InputError("is damaged or not whole: a storage ends beyond it")
    return TorchFile(
        saved.content, regions, ("little" if is_little_endian else "big") != sys.byteorder
    )
