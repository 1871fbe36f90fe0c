"""Tasks from a local folder, or from a single file."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from maskjax.errors import InputError
from maskjax.models.config import TaskType
from maskjax.tasks.readers import READERS, Table, read_table, suggest_paths
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


def read_file(path: str | Path, kind: TaskType) -> Table:
    """Reads a file of rows, or of sentences where the kind is tokens.

    Args:
        path: The file; its extension gives the format.
        kind: The kind of the task.

    Returns:
        The rows.

    Raises:
        InputError: If the file cannot be read.

    Example:
        >>> table = read_file(f"{rows}/dev.tsv", "classification")
        >>> len(table.frame), list(table.frame.columns)
        (41, ['text', 'label'])
    """
    return read_token_file(path) if kind == "tokens" else Table(str(path), read_table(path))


def read_folder(folder: Path, kind: TaskType) -> dict[str, Table]:
    """Reads the files train, dev (or valid, val, validation) and test of a folder, in any format.

    The notes on the training rows name files that no split is read from.
    """
    if folder.is_file():
        return {"train": read_file(folder, kind)}
    extensions = _extensions(folder, kind)
    paths = {split: _find(folder, names, extensions) for split, names in SPLITS.items()}
    if paths["train"] is None:
        files = ", ".join(f"train{extension}" for extension in extensions)
        raise InputError(f"{folder}: expected one of {files}; {suggest_paths(folder / 'train')}")
    tables = {split: read_file(path, kind) for split, path in paths.items() if path}
    unread = _unread(folder, extensions, [path for path in paths.values() if path])
    return tables | {"train": tables["train"]._replace(unread=unread)}


def split_readers(path: str | Path, kind: TaskType) -> dict[str, Callable[[], Table]]:
    """Lists the files of rows in a folder; none is required, and any name is a split.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("valid.csv", "new.tsv", "notes.md"):
        ...         Path(folder, name).touch()
        ...     list(split_readers(folder, "classification"))
        ['dev', 'new']
    """
    path = Path(path)
    if path.is_file():
        return {split_name(path.stem): partial(read_file, path, kind)}
    extensions = _extensions(path, kind)
    files = sorted(f for f in path.iterdir() if f.suffix in extensions and f.is_file())
    readers: dict[str, Callable[[], Table]] = {}
    for file in files:
        names = (split_name(file.stem), file.stem, file.name)
        name = next(name for name in names if name not in readers)
        readers[name] = partial(read_file, file, kind)
    return {name: readers[name] for name in (*SPLITS, *readers) if name in readers}


def split_name(name: str) -> str:
    """The split that a file of this name holds, such as `dev` for `validation`.

    Example:
        >>> split_name("validation"), split_name("august")
        ('dev', 'august')
    """
    return next((split for split, names in SPLITS.items() if name in names), name)


def _extensions(folder: Path, kind: TaskType) -> tuple[str, ...]:
    if not folder.is_dir():
        raise InputError(f"No file or folder {folder}; {suggest_paths(folder)}")
    return (*TOKEN_READERS, ".jsonl", ".parquet") if kind == "tokens" else tuple(READERS)


def _unread(folder: Path, extensions: tuple[str, ...], read_paths: list[Path]) -> tuple[str, ...]:
    """A note on the files and folders that look like rows and are not read."""
    stems = {name for names in SPLITS.values() for name in names}
    suffixes = set(extensions) - {".txt"}  # often notes on a data set
    names = [
        path.name
        for path in sorted(folder.iterdir())
        if path not in read_paths
        and (
            path.name.lower().split(".")[0] in stems or (path.suffix in suffixes and path.is_file())
        )
    ]
    if not names:
        return ()
    ellipsis = ", ..." * (len(names) > SHOWN)
    return (
        f"{folder}: not read: {', '.join(names[:SHOWN])}{ellipsis}; the files of splits are called"
        f" train, dev (or {', '.join(DEV_NAMES[1:])}) and test, and end in {', '.join(extensions)}",
    )


def _find(folder: Path, names: tuple[str, ...], extensions: tuple[str, ...]) -> Path | None:
    candidates = (folder / f"{name}{extension}" for name in names for extension in extensions)
    existing = [path for path in candidates if path.is_file()]
    if len(existing) > 1:
        files = " and ".join(path.name for path in existing)
        raise InputError(f"{folder}: expected one file for each split, got {files}; remove one.")
    return existing[0] if existing else None
