"""Which vector stands for a text, as the base's sentence-transformers files say."""

import json
from pathlib import Path
from typing import Literal

import numpy as np

from maskjax.errors import InputError

FILE = "1_Pooling/config.json"
Pooling = Literal["first", "mean"]
MODES: dict[str, Pooling] = {
    "pooling_mode_cls_token": "first",
    "pooling_mode_mean_tokens": "mean",
}


def read_pooling(folder: Path) -> Pooling:
    """Reads how the vectors of a base's tokens become one."""
    file = folder / FILE
    if not file.is_file():
        return "mean"
    try:
        values = json.loads(file.read_text(encoding="utf8"))
        modes = [key for key, value in values.items() if key.startswith("pooling_mode_") and value]
    except (ValueError, RecursionError, AttributeError, OSError) as error:
        raise InputError(f"{file}: expected a JSON object of pooling modes: {error}.") from error
    if len(modes) != 1 or modes[0] not in MODES:
        raise InputError(f"{file}: expected one of {', '.join(MODES)}, got {modes}.")
    return MODES[modes[0]]


def pool(vectors: np.ndarray, pooling: Pooling) -> np.ndarray:
    """Picks the vector of a text."""
    return vectors[1 if pooling == "mean" else 0]
