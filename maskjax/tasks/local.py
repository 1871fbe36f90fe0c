"""Tasks from a local folder."""

from pathlib import Path

from maskjax.errors import InputError
from maskjax.models.config import Kind
from maskjax.tasks.tables import READERS, Table, nearby, read_table
from maskjax.tasks.token_files import TOKEN_READERS, read_token_file

# The names that the file of a split may have.
SPLITS = {
    "train": ("train",),
    "dev": ("dev", "validation", "dev_matched", "validation_matched"),
    "dev_mismatched": ("dev_mismatched", "validation_mismatched"),
    "test": ("test", "test_matched"),
    "test_mismatched": ("test_mismatched",),
}


def read_file(path: Path, kind: Kind) -> Table:
    """Reads a file of rows, or of sentences where the kind is tokens.

    Args:
        path: The file; its extension tells the format.
        kind: The kind of the task.

    Returns:
        The rows.

    Raises:
        InputError: If the file cannot be read.
    """
    return read_token_file(path) if kind == "tokens" else Table(str(path), read_table(path))


def read_folder(folder: Path, kind: Kind) -> dict[str, Table]:
    """Reads the files train, dev (or validation) and test of a folder, each in any format.

    Args:
        folder: The folder; only its training file is required.
        kind: The kind of the task; sentences of tokens have files of their own.

    Returns:
        The splits that the folder has: "train", "dev", "test", and "dev_mismatched" and
        "test_mismatched".

    Raises:
        InputError: If the folder or its training file is missing, if a split has two files, or if
            a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"No folder {folder}; {nearby(folder)}")
    extensions = (*TOKEN_READERS, ".jsonl", ".parquet") if kind == "tokens" else tuple(READERS)
    found = {split: _find(folder, names, extensions) for split, names in SPLITS.items()}
    if found["train"] is None:
        files = ", ".join(f"train{extension}" for extension in extensions)
        raise InputError(f"{folder}: expected one of {files}; {nearby(folder / 'train')}")
    return {split: read_file(path, kind) for split, path in found.items() if path}


def _find(folder: Path, names: tuple[str, ...], extensions: tuple[str, ...]) -> Path | None:
    candidates = (folder / f"{name}{extension}" for name in names for extension in extensions)
    found = [path for path in candidates if path.is_file()]
    if len(found) > 1:
        files = " and ".join(path.name for path in found)
        raise InputError(f"{folder}: expected one file for each split, got {files}; remove one.")
    return found[0] if found else None
