"""Binary masks in few bytes: raw, entropy-coded, or as what differs from a random start.

The format is in `docs/coding.md`. Decoding needs NumPy only and stays at one bit per weight.
"""

from maskjax.masking.packed.packing import PackedMask
from maskjax.masking.packed.philox import RandomMaskSpec
from maskjax.taskfile.codec.decode import decode_masks, decode_stream, read_encodings
from maskjax.taskfile.codec.encode import encode_masks
from maskjax.taskfile.codec.header import Encoding
from maskjax.taskfile.codec.initial_mask import initial_mask, is_well_formed, zeros_in
from maskjax.taskfile.codec.stream import read_records

__all__ = [
    "Encoding",
    "PackedMask",
    "RandomMaskSpec",
    "decode_masks",
    "decode_stream",
    "encode_masks",
    "initial_mask",
    "is_well_formed",
    "read_encodings",
    "read_records",
    "zeros_in",
]
