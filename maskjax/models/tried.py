"""What was measured of each family, and of published models on the live Hub."""

import json
from pathlib import Path
from typing import Any, NamedTuple

TRIED = Path(__file__).with_name("tried.json")


class Tried(NamedTuple):
    """Results by family and by model.

    Attributes:
        parity: Family → the largest difference of a `hidden` state and of the `logits` from
            transformers in PyTorch, float32, at the shape of the published base model
            (`python -m benchmarks.families --write`).
        live: Hub id → its `family`, the largest difference of its `logits`, the accuracy on SST-2
            after 50 steps, `sst2`; or an `error` (`make live`).
    """

    parity: dict[str, dict[str, float]]
    live: dict[str, dict[str, Any]]


def read_tried(path: Path = TRIED) -> Tried:
    """Reads what was measured."""
    return Tried(**json.loads(path.read_text(encoding="utf-8")))


def write_tried(tried: Tried, path: Path = TRIED) -> None:
    """Replaces what was measured."""
    path.write_text(json.dumps(tried._asdict(), indent=2) + "\n", encoding="utf-8")
