"""Atomic writes: to a temporary file in the same folder, which is then renamed."""

import os
from pathlib import Path

from maskjax.errors import InputError


def write_atomically(path: Path, payload: bytes) -> None:
    """Writes a file so that at any moment the old content or the new one is there, never half.

    Args:
        path: The file; its folder exists.
        payload: The whole content.

    Raises:
        InputError: If the disk is full or the place cannot be written; nothing is left behind.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; nothing was kept."
        ) from error
