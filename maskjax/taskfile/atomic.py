"""Atomic writes: to a temporary file in the same folder, which is then renamed."""

import os
from pathlib import Path

from maskjax.errors import InputError


def write_atomically(path: Path, payload: bytes) -> None:
    """Writes a file so that it has either the old or the new content at any moment.

    Args:
        path: The file; its folder exists.
        payload: The whole content.

    Raises:
        InputError: If the file cannot be written, for example because the disk is full; no
            temporary file remains.

    Example:
        >>> write_atomically(folder / "labels.txt", b"no\\nyes\\n")
        >>> (folder / "labels.txt").read_text()
        'no\\nyes\\n'
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; nothing was kept."
        ) from error
