"""The format: a second reader in plain integers, written from `docs/coding.md`, agrees."""

import numpy as np
import pytest

from maskjax.masking.packed import pack_bits
from maskjax.taskfile.codec import (
    PackedMask,
    RandomMaskSpec,
    decode_masks,
    encode_masks,
    initial_mask,
)
from maskjax.taskfile.codec.tables import frequencies

UNIT = 1 << 24
ORDER = sorted(range(256), key=lambda byte: (byte.bit_count(), byte))


class Reader:
    """Reads a payload symbol by symbol."""

    def __init__(self, payload: bytes, shapes: dict[str, tuple[int, ...]]):
        self.payload, self.place, self.shapes = payload, 0, shapes

    def number(self, size: int) -> int:
        self.place += size
        return int.from_bytes(self.payload[self.place - size : self.place], "little")

    def record(self) -> dict:
        record = {"code": self.number(1), "stride": 0}
        if record["code"] == 2:
            record["start"] = RandomMaskSpec((self.number(4), self.number(4)), self.number(4))
        if record["code"] == 0:
            return record
        record["base"] = self.number(1)
        if record["base"] != 255:
            record["stride"] = self.number(1)
        if record["stride"]:
            record["classes"] = self.number(1), self.number(1)
        return record

    def read(self) -> dict[str, list[int]]:
        lanes, words = self.number(4), self.number(4)
        records = {path: self.record() for path in sorted(self.shapes)}
        masks = {}
        for path, record in records.items():
            size = int(np.prod(self.shapes[path]))
            raw = [self.number(1) for _ in range(-(-size // 8))] if record["code"] == 0 else []
            masks[path] = [raw[i // 8] >> i % 8 & 1 if raw else 1 for i in range(size)]
        self.states = [self.number(8) for _ in range(lanes)]
        self.words = [self.number(4) for _ in range(words)][::-1]
        self.read_coded(records, masks)
        assert not self.words
        assert set(self.states) <= {1 << 31}
        assert self.place == len(self.payload)
        return masks

    def read_coded(self, records: dict, masks: dict) -> None:
        coded = [path for path, r in records.items() if r["code"] and r["base"] != 255]
        tables = {path: self.table(self.shapes[path]) for path in coded}
        classes = []
        for path in coded:
            if records[path]["stride"]:
                for count, class_ in zip(tables[path], records[path]["classes"], strict=True):
                    classes += [class_] * count
        offsets = [-(z + 1) // 2 if z % 2 else z // 2 for z in self.sequence(classes)]
        plans = []
        for path in coded:
            rows, columns = tables[path]
            r, c = [0] * rows, [0] * columns
            if records[path]["stride"]:
                r, c, offsets = (
                    offsets[:rows],
                    offsets[rows : rows + columns],
                    offsets[rows + columns :],
                )
            plans.append((path, r, c, sorted(range(rows), key=lambda row, r=r: r[row])))
        symbols = self.sequence([q for plan in plans for q in self.classes(records, *plan)])
        events = {path: [0] * len(mask) for path, mask in masks.items()}
        for path, r, c, order in plans:
            for place in range(len(r) * len(c) // 8):
                symbol = symbols.pop(0)
                for k in range(8):
                    weight = order[place // len(c) * 8 + k] * len(c) + place % len(c)
                    if weight < len(events[path]):
                        events[path][weight] = symbol >> k & 1
        for path, record in records.items():
            if record["code"] == 2:
                masks[path] = initial_mask(record["start"], self.shapes[path]).unpack().ravel()
            masks[path] = [int(a) ^ b for a, b in zip(masks[path], events[path], strict=True)]

    @staticmethod
    def table(shape: tuple[int, ...]) -> tuple[int, int]:
        size = int(np.prod(shape))
        if len(shape) > 1 and shape[-1] % 8 == 0 and size // shape[-1] % 8 == 0:
            return size // shape[-1], shape[-1]
        return (size + 63) // 64 * 8, 8

    @staticmethod
    def classes(records: dict, path: str, r: list, c: list, order: list) -> list[int]:
        base, stride = records[path]["base"], records[path]["stride"]
        return [
            min(max(base + stride * (r[order[group + 4]] + column), 0), 126)
            for group in range(0, len(r), 8)
            for column in c
        ]

    def sequence(self, classes: list[int]) -> list[int]:
        symbols = []
        for place, class_ in enumerate(classes):
            lane = place % len(self.states)
            state = self.states[lane]
            start, table = 0, table_of(class_)
            for symbol in ORDER:
                if state % UNIT < start + table[symbol]:
                    break
                start += table[symbol]
            state = table[symbol] * (state // UNIT) + state % UNIT - start
            if state < 1 << 31:
                state = state << 32 | self.words.pop()
            self.states[lane] = state
            symbols.append(symbol)
        return symbols


def table_of(class_: int) -> list[int]:
    """Frequencies of a class, from the formulas."""
    q = class_ % 128
    chance = UNIT * 5**q * 4**63 // (5**q * 4**63 + 4**q * 5**63)
    if class_ < 128:
        of_ones = [chance**k * (UNIT - chance) ** (8 - k) // UNIT**7 for k in range(9)]
        table = [of_ones[byte.bit_count()] for byte in range(256)]
    else:
        table = [UNIT - chance]
        for _ in range(255):
            table.append(table[-1] * chance // UNIT)
    table = [max(1, frequency) for frequency in table]
    table[table.index(max(table))] += UNIT - sum(table)
    return table


def assert_second_reader_agrees(payload: np.ndarray, masks: dict[str, PackedMask]) -> None:
    read = Reader(payload.tobytes(), {path: mask.shape for path, mask in masks.items()}).read()
    for path, mask in masks.items():
        assert read[path] == mask.unpack().ravel().astype(int).tolist()


def test_second_reader_decodes_the_example(coded_example):
    payload, _, masks = coded_example
    assert_second_reader_agrees(payload, masks)


@pytest.mark.parametrize("seed", range(4))
def test_second_reader_decodes_offsets(seed, monkeypatch):
    """Rows have all densities, so that groups of eight are mixed, on several lanes."""
    monkeypatch.setattr("maskjax.taskfile.codec.encode._BYTES_PER_LANE", 60)
    random = np.random.default_rng(seed)
    chances = np.clip(random.random((64, 1)) ** 3 * 2 * random.random((1, 24)), 0, 1)
    mask = random.random((64, 24)) >= chances
    masks = {"offsets": PackedMask(pack_bits(mask), mask.shape)}
    assert_second_reader_agrees(encode_masks(masks), masks)


def test_example_uses_every_encoding(coded_example):
    payload, shapes, _ = coded_example
    reader = Reader(payload.tobytes(), shapes)
    reader.place = 8
    records = {path: reader.record() for path in sorted(shapes)}
    assert {path: record["code"] for path, record in records.items()} == {
        "flips": 2, "noise": 0, "odd": 1, "offsets": 1, "ones": 1, "same": 2,
    }  # fmt: skip
    assert records["offsets"]["stride"] > 0
    assert records["ones"]["base"] == records["same"]["base"] == 255


@pytest.mark.parametrize("class_", [0, 1, 40, 50, 62, 63, 64, 126, 128, 170, 191, 230, 254])
def test_frequency_tables_match_the_formulas(class_):
    table = table_of(class_)
    assert sum(table) == UNIT
    assert min(table) > 0
    assert frequencies()[class_].tolist() == table


# The worked example of `docs/coding.md`: it must be read forever.
WORKED = "0100000000000000012b0023b2c8942eae5d00"


def test_worked_example_has_the_documented_bytes():
    mask = np.ones((16, 16), bool)
    mask[2, 1] = mask[5, 6] = mask[12, 15] = False
    packed = PackedMask(pack_bits(mask), mask.shape)
    assert encode_masks({"kernel": packed}).tobytes().hex() == WORKED
    stored = np.frombuffer(bytes.fromhex(WORKED), np.uint8)
    decoded = decode_masks(stored, {"kernel": mask.shape})
    np.testing.assert_array_equal(decoded["kernel"].bits, packed.bits)
