"""Tasks from a local folder."""

from pathlib import Path

from maskjax.errors import InputError
from maskjax.tasks.tables import READERS, Table, nearby, read_table

# The names that the file of a split may have.
SPLITS = {"train": ("train",), "dev": ("dev", "validation"), "test": ("test",)}


def read_folder(folder: Path) -> dict[str, Table]:
    """Reads the files train, dev (or validation) and test of a folder, each in any format.

    Args:
        folder: The folder; only its training file is required.

    Returns:
        The splits "train", "dev" and "test" that the folder has.

    Raises:
        InputError: If the folder or its training file is missing, if a split has two files, or if
            a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"No folder {folder}; {nearby(folder)}")
    found = {split: _find(folder, names) for split, names in SPLITS.items()}
    if found["train"] is None:
        files = ", ".join(f"train{extension}" for extension in READERS)
        raise InputError(f"{folder}: expected one of {files}; {nearby(folder / 'train')}")
    return {split: Table(str(path), read_table(path)) for split, path in found.items() if path}


def _find(folder: Path, names: tuple[str, ...]) -> Path | None:
    candidates = (folder / f"{name}{extension}" for name in names for extension in READERS)
    found = [path for path in candidates if path.is_file()]
    if len(found) > 1:
        files = " and ".join(path.name for path in found)
        raise InputError(f"{folder}: expected one file for each split, got {files}; remove one.")
    return found[0] if found else None
