"""Files of `torch.save` that were changed, most of them with checksums that are right."""

import io
import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

GLOBALS = (
    b"builtins\neval\n", b"os\nsystem\n", b"torch\nFloatStorage\n", b"torch\nLongStorage\n",
    b"torch\nQInt8Storage\n", b"torch\nTensor\n", b"torch\nSize\n", b"collections\nOrderedDict\n",
    b"torch._utils\n_rebuild_tensor_v2\n", b"torch._utils\n_rebuild_tensor_v3\n",
    b"torch._utils\n_rebuild_parameter\n", b"torch._utils\n_rebuild_sparse_tensor\n",
    b"torch._tensor\n_rebuild_from_type_v2\n", b"torch.storage\nUntypedStorage\n",
    b"numpy\ndtype\n", b"\xc3\xa9\n\n", b"a\x1b[31m\nb\x07\n",
)  # fmt: skip
TEXTS = (
    b"", b"storage", b"0", b"99", b"cpu", b"classifier.weight", b"classifier.weight_mask",
    b"module.model._orig_mod", b"x\x1b[31m\ny", "é\u202e".encode(), b"\xed\xa0\x80", b"n" * 999,
)  # fmt: skip
NUMBERS = (0, 1, 2, 3, 16, 255, 2**31 - 1, -1, -(2**31))
OPCODES = tuple(opcode.code.encode("latin1") for opcode in pickletools.opcodes)
ENTRIES = ("data.pkl", "byteorder", "version", "data/0", "data/1", "data/2", "data/99", "../x", "")


class Piece(NamedTuple):
    """An instruction of a pickle.

    Attributes:
        name: As in `pickletools`.
        code: Its bytes, with those of its argument.
    """

    name: str
    code: bytes


Bytes = Callable[[np.random.Generator, bytes], bytes]
Pieces = Callable[[np.random.Generator, list[Piece]], None]
Entries = Callable[[np.random.Generator, list[tuple[str, bytes]]], None]


def torch_mutants(payload: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Changes a file in many ways.

    Args:
        payload: A valid file, in the zip form or the older one.
        count: How many mutants to make.
        seed: The seed of the changes.

    Yields:
        Their bytes. Half of the mutants have a changed pickle, the others changed bytes or entries.
    """
    random = np.random.default_rng(seed)
    is_zip = payload.startswith(b"PK")
    for number in range(count):
        if number % 2:
            change = _with_changed_pickle if is_zip else _change_pickle
        elif number % 4 and is_zip:
            change = _with_changed_entries
        else:
            change = BYTES[random.integers(len(BYTES))]
        yield change(random, payload)


def byte_mutants(payload: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Changes the bytes of a file of any kind.

    Args:
        payload: Its bytes.
        count: How many mutants to make.
        seed: The seed of the changes.

    Yields:
        Their bytes.
    """
    random = np.random.default_rng(seed)
    for number in range(count):
        yield BYTES[number % len(BYTES)](random, payload)


def read_entries(payload: bytes) -> list[tuple[str, bytes]]:
    """Takes a zip file apart: the names and contents of its entries."""
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def write_entries(entries: list[tuple[str, bytes]]) -> bytes:
    """Puts a zip file together, with checksums that are right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries:
            # An entry of its own info may have a name that is there already.
            archive.filelist, known = [], archive.filelist
            archive.NameToInfo.clear()
            archive.writestr(zipfile.ZipInfo(name), content)
            archive.filelist[:0] = known
    return buffer.getvalue()


def _with_changed_pickle(random: np.random.Generator, payload: bytes) -> bytes:
    return write_entries(
        [
            (name, _change_pickle(random, content) if name.endswith("data.pkl") else content)
            for name, content in read_entries(payload)
        ]
    )


def _change_pickle(random: np.random.Generator, content: bytes) -> bytes:
    """Changes instructions; what stands behind the pickles of the older form stays."""
    pieces, end = _pieces(content)
    for _ in range(random.integers(1, 4)):
        PIECES[random.integers(len(PIECES))](random, pieces)
    return b"".join(piece.code for piece in pieces) + content[end:]


def _pieces(content: bytes) -> tuple[list[Piece], int]:
    """The instructions of all pickles at the beginning: five in the older form."""
    stream, pieces = io.BytesIO(content), []
    for _ in range(1 if content.startswith(b"\x80\x02}") else 5):
        found = [(opcode.name, at) for opcode, _, at in pickletools.genops(stream)]
        ends = [at for _, at in found[1:]] + [stream.tell()]
        pieces += [
            Piece(name, content[at:end]) for (name, at), end in zip(found, ends, strict=True)
        ]
        if stream.tell() == len(content):
            break
    return pieces, stream.tell()


def _pick(random: np.random.Generator, pieces: list[Piece], *names: str) -> int:
    places = [at for at, piece in enumerate(pieces) if not names or piece.name in names]
    return places[random.integers(len(places))] if places else 0


def _change_number(random: np.random.Generator, pieces: list[Piece]) -> None:
    at = _pick(random, pieces, "BININT", "BININT1", "BININT2")
    if random.random() < 0.2:  # huge
        size = int(random.integers(5, 200))
        pieces[at] = Piece("LONG1", b"\x8a" + bytes([size]) + random.bytes(size))
    else:
        number = NUMBERS[random.integers(len(NUMBERS))]
        pieces[at] = Piece("BININT", b"J" + struct.pack("<i", number))


def _change_text(random: np.random.Generator, pieces: list[Piece]) -> None:
    text = TEXTS[random.integers(len(TEXTS))]
    at = _pick(random, pieces, "BINUNICODE")
    pieces[at] = Piece("BINUNICODE", b"X" + struct.pack("<I", len(text)) + text)


def _change_global(random: np.random.Generator, pieces: list[Piece]) -> None:
    name = GLOBALS[random.integers(len(GLOBALS))]
    pieces[_pick(random, pieces, "GLOBAL")] = Piece("GLOBAL", b"c" + name)


def _remove(random: np.random.Generator, pieces: list[Piece]) -> None:
    del pieces[_pick(random, pieces)]


def _repeat(random: np.random.Generator, pieces: list[Piece]) -> None:
    at = _pick(random, pieces)
    pieces[at:at] = [pieces[at]] * int(random.integers(1, 50))


def _swap(random: np.random.Generator, pieces: list[Piece]) -> None:
    one, two = _pick(random, pieces), _pick(random, pieces)
    pieces[one], pieces[two] = pieces[two], pieces[one]


def _insert(random: np.random.Generator, pieces: list[Piece]) -> None:
    code = OPCODES[random.integers(len(OPCODES))] + random.bytes(int(random.integers(0, 9)))
    pieces.insert(_pick(random, pieces), Piece("?", code))


def _nest(random: np.random.Generator, pieces: list[Piece]) -> None:
    """A value becomes a tuple in a tuple in a tuple."""
    at = _pick(random, pieces, "BINUNICODE", "BININT1", "NEWFALSE", "EMPTY_TUPLE")
    pieces[at + 1 : at + 1] = [Piece("TUPLE1", b"\x85")] * int(random.integers(1, 3000))


def _flip_bits(random: np.random.Generator, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(random.integers(1, 4)):
        changed[random.integers(len(changed))] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _flip_bits_at_the_end(random: np.random.Generator, data: bytes) -> bytes:
    """The directory of a zip file is there."""
    end = min(len(data), 900)
    return data[:-end] + _flip_bits(random, data[-end:])


def _truncate(random: np.random.Generator, data: bytes) -> bytes:
    return data[: random.integers(len(data))]


def _extend(random: np.random.Generator, data: bytes) -> bytes:
    return data + random.bytes(int(random.integers(1, 400)))


def _overwrite(random: np.random.Generator, data: bytes) -> bytes:
    at, new = int(random.integers(len(data))), random.bytes(int(random.integers(1, 30)))
    return data[:at] + new + data[at + len(new) :]


def _cut_out(random: np.random.Generator, data: bytes) -> bytes:
    at = int(random.integers(len(data)))
    return data[:at] + data[at + int(random.integers(1, 300)) :]


def _with_changed_entries(random: np.random.Generator, payload: bytes) -> bytes:
    entries = read_entries(payload)
    ENTRY_CHANGES[random.integers(len(ENTRY_CHANGES))](random, entries)
    return write_entries(entries)


def _drop_entry(random: np.random.Generator, entries: list[tuple[str, bytes]]) -> None:
    del entries[random.integers(len(entries))]


def _rename_entry(random: np.random.Generator, entries: list[tuple[str, bytes]]) -> None:
    at = random.integers(len(entries))
    root = entries[at][0].partition("/")[0]
    entries[at] = (f"{root}/{ENTRIES[random.integers(len(ENTRIES))]}", entries[at][1])


def _repeat_entry(random: np.random.Generator, entries: list[tuple[str, bytes]]) -> None:
    entries.append(entries[random.integers(len(entries))])


def _swap_contents(random: np.random.Generator, entries: list[tuple[str, bytes]]) -> None:
    one, two = random.integers(0, len(entries), 2)
    (name, content), (other, second) = entries[one], entries[two]
    entries[one], entries[two] = (name, second), (other, content)


def _change_content(random: np.random.Generator, entries: list[tuple[str, bytes]]) -> None:
    at = random.integers(len(entries))
    name, content = entries[at]
    entries[at] = (name, BYTES[random.integers(len(BYTES))](random, content or b"x"))


BYTES: tuple[Bytes, ...] = (
    _flip_bits, _flip_bits_at_the_end, _truncate, _extend, _overwrite, _cut_out,
)  # fmt: skip
PIECES: tuple[Pieces, ...] = (
    _change_number, _change_text, _change_global, _remove, _repeat, _swap, _insert, _nest,
)  # fmt: skip
ENTRY_CHANGES: tuple[Entries, ...] = (
    _drop_entry, _rename_entry, _repeat_entry, _swap_contents, _change_content,
)  # fmt: skip
