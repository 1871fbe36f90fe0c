"""Atomic folders: a temporary folder is filled and then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskjax.errors import InputError
from maskjax.folders import expand_home


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Makes a folder that appears under its name only when it is complete.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "exported"
        >>> with new_folder(folder) as temporary:
        ...     _ = (temporary / "README.md").write_text("Hello")
        >>> [path.name for path in folder.iterdir()]
        ['README.md']
    """
    folder = expand_home(folder).absolute()
    _check_free(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if folder.is_dir():
            folder.rmdir()
        temporary.rename(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written: {error.strerror or error}; nothing was kept."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # does not exist after the rename


def _check_free(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: the folder is not empty; choose another --out, or delete it.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; choose a folder for --out.")
