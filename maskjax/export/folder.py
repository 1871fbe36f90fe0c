"""Atomic folders: a temporary one is filled and then renamed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from maskjax.errors import InputError
from maskjax.places import expand_home


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Makes a folder that appears under its name only once it is complete.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "exported"
        >>> with new_folder(place) as part:
        ...     _ = (part / "README.md").write_text("Hello")
        >>> [path.name for path in place.parent.iterdir()], [path.name for path in place.iterdir()]
        (['exported'], ['README.md'])
    """
    folder = expand_home(folder).absolute()
    _check_free(folder)
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        yield part
        if folder.is_dir():
            folder.rmdir()
        part.rename(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written: {error.strerror or error}; nothing was kept."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)  # after the rename there is nothing left of it


def _check_free(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: the folder is not empty; choose another --out, or delete it.")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; choose a folder for --out.")
