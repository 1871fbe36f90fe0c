"""Tasks from a local folder, or from a single file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from maskjax.errors import InputError
from maskjax.models.config import Kind
from maskjax.tasks.readers import READERS, Table, nearby, read_table
from maskjax.tasks.spec import DEV_NAMES
from maskjax.tasks.token_files import TOKEN_READERS, read_token_file

# The names that the file of a split may have.
SPLITS = {
    "train": ("train",),
    "dev": (*DEV_NAMES, *(f"{name}_matched" for name in DEV_NAMES)),
    "dev_mismatched": tuple(f"{name}_mismatched" for name in DEV_NAMES),
    "test": ("test", "test_matched"),
    "test_mismatched": ("test_mismatched",),
}

SHOWN = 5
"""Files that a note lists."""


def read_file(path: str | Path, kind: Kind) -> Table:
    """Reads a file of rows, or of sentences where the kind is tokens.

    Args:
        path: The file; its extension gives the format.
        kind: The kind of the task.

    Returns:
        The rows.

    Raises:
        InputError: If the file cannot be read.
    """
    return read_token_file(path) if kind == "tokens" else Table(str(path), read_table(path))


def read_folder(folder: Path, kind: Kind) -> dict[str, Table]:
    """Reads the files train, dev (or valid, val, validation) and test of a folder.

    Each may have any format. The notes on the training rows name files that no split is read from.
    """
    if folder.is_file():
        return {"train": read_file(folder, kind)}
    extensions = _extensions(folder, kind)
    found = {split: _find(folder, names, extensions) for split, names in SPLITS.items()}
    if found["train"] is None:
        files = ", ".join(f"train{extension}" for extension in extensions)
        raise InputError(f"{folder}: expected one of {files}; {nearby(folder / 'train')}")
    tables = {split: read_file(path, kind) for split, path in found.items() if path}
    unread = _unread(folder, extensions, [path for path in found.values() if path])
    return tables | {"train": tables["train"]._replace(unread=unread)}


def split_readers(place: str | Path, kind: Kind) -> dict[str, Callable[[], Table]]:
    """Lists the files of rows in a folder; none is required, and any name is a split.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("valid.csv", "new.tsv", "notes.md"):
        ...         Path(folder, name).touch()
        ...     list(split_readers(folder, "classification"))
        ['dev', 'new']
    """
    place = Path(place)
    if place.is_file():
        return {split_name(place.stem): partial(read_file, place, kind)}
    extensions = _extensions(place, kind)
    files = sorted(path for path in place.iterdir() if path.suffix in extensions and path.is_file())
    found: dict[str, Callable[[], Table]] = {}
    for path in files:
        names = (split_name(path.stem), path.stem, path.name)
        found[next(name for name in names if name not in found)] = partial(read_file, path, kind)
    return {name: found[name] for name in (*SPLITS, *found) if name in found}


def split_name(name: str) -> str:
    """The split that a file of this name holds, such as `dev` for `validation`."""
    return next((split for split, names in SPLITS.items() if name in names), name)


def _extensions(folder: Path, kind: Kind) -> tuple[str, ...]:
    if not folder.is_dir():
        raise InputError(f"No file or folder {folder}; {nearby(folder)}")
    return (*TOKEN_READERS, ".jsonl", ".parquet") if kind == "tokens" else tuple(READERS)


def _unread(folder: Path, extensions: tuple[str, ...], read: list[Path]) -> tuple[str, ...]:
    """Names the files, and folders, that look like rows and are not read."""
    known = {name for names in SPLITS.values() for name in names}
    of_rows = set(extensions) - {".txt"}  # which is also a suffix of notes on a data set
    others = [path for path in sorted(folder.iterdir()) if path not in read]
    names = [
        path.name
        for path in others
        if path.name.lower().split(".")[0] in known or (path.suffix in of_rows and path.is_file())
    ]
    if not names:
        return ()
    more = ", ..." * (len(names) > SHOWN)
    return (
        f"{folder}: not read: {', '.join(names[:SHOWN])}{more}; the files of splits are called"
        f" train, dev (or {', '.join(DEV_NAMES[1:])}) and test, and end in {', '.join(extensions)}",
    )


def _find(folder: Path, names: tuple[str, ...], extensions: tuple[str, ...]) -> Path | None:
    candidates = (folder / f"{name}{extension}" for name in names for extension in extensions)
    found = [path for path in candidates if path.is_file()]
    if len(found) > 1:
        files = " and ".join(path.name for path in found)
        raise InputError(f"{folder}: expected one file for each split, got {files}; remove one.")
    return found[0] if found else None
