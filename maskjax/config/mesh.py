"""Settings of the mesh of devices."""

from dataclasses import dataclass

from maskjax.config.check import check

ALL_DEVICES = -1
"""All available devices along an axis."""


@dataclass(frozen=True, kw_only=True)
class MeshConfig:
    """Which devices a run is divided among; by default it runs on one.

    The batch is that of all devices together, and their number does not change what is learned
    but for the last digits of sums.

    Attributes:
        data: Devices that share the rows of a batch; -1 takes all that `model` leaves.
        model: Devices that share the matrices of each block.
        fsdp: Divide frozen weights, scores and the optimizer's state over `data` too. Each device
            then holds a part, and collects the weights for each step.
    """

    data: int = 1
    model: int = 1
    fsdp: bool = False

    def __post_init__(self) -> None:
        check(
            self.data >= 1 or self.data == ALL_DEVICES,
            "mesh.data",
            "at least 1, or -1 for all devices",
            self.data,
        )
        check(self.model >= 1, "mesh.model", "at least 1", self.model)
