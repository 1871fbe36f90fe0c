"""Binary masks in few bytes: raw, entropy-coded, or as what differs from a random start.

The format is in `docs/coding.md`. Decoding needs NumPy only and stays at one bit per weight.
"""

from maskjax.masking.packing import PackedMask
from maskjax.masking.philox import Start
from maskjax.taskfile.coding.decode import decode_masks, read_encodings
from maskjax.taskfile.coding.encode import encode_masks
from maskjax.taskfile.coding.record import Encoding
from maskjax.taskfile.coding.start import initial_mask

__all__ = [
    "Encoding",
    "PackedMask",
    "Start",
    "decode_masks",
    "encode_masks",
    "initial_mask",
    "read_encodings",
]
