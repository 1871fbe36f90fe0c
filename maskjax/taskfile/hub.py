"""Task files on the Hugging Face Hub: search, download and publication."""

import re
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError

from maskjax.errors import InputError, one_line
from maskjax.folders import expand_home
from maskjax.models.hub_retry import with_backoff
from maskjax.taskfile.find_runs import find_runs
from maskjax.taskfile.model_card import task_card
from maskjax.taskfile.published import reduced, without_folders
from maskjax.taskfile.taskfile import TASK_FILE, load_task_file

MAX_NAMED = 3
"""The number of runs of a folder that an error names."""

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def find_task_file(run: str | Path, *, revision: str | None = None, offline: bool = False) -> Path:
    """Finds the task file of a run.

    A local file or folder of this name has precedence, then the Hub's cache, then the network.

    Args:
        run: A run folder, a task file, or the Hub id of a published task.
        revision: Branch, tag or commit on the Hub; None for `main`.
        offline: Never use the network.

    Returns:
        The path of the file.

    Raises:
        InputError: If there is no such file, or it cannot be reached.

    Example:
        >>> find_task_file(trained).name
        'task.safetensors'
    """
    path, name = expand_home(run), str(run)
    if path.exists():
        file = path / TASK_FILE if path.is_dir() else path
        if not file.is_file():
            raise _no_single_run(path)
        return file
    if not _HUB_ID.fullmatch(name) or path.suffix == ".safetensors":
        raise InputError(f"{name}: no such run folder or task file.")
    cached = try_to_load_from_cache(name, TASK_FILE, revision=revision)
    if isinstance(cached, str):
        return Path(cached)
    if offline:
        raise InputError(f"{name}: neither a run folder nor in the Hub's cache; run once online.")
    return _download(name, revision)


def push_task(
    run: str | Path, repository: str, *, private: bool = False, license: str | None = None
) -> str:
    """Publishes a task file with its model card in one commit.

    Local paths in its metadata are reduced to their last names.

    Args:
        run: A run folder or a task file.
        repository: The Hub id, `owner/name`; made if it is missing.
        private: Whether a new repository is private.
        license: An identifier of the Hub for the card, such as `apache-2.0`.

    Returns:
        The address of the commit.

    Raises:
        InputError: If the file cannot be read, or the Hub does not accept it.
    """
    if not _HUB_ID.fullmatch(repository):
        raise InputError(f"--to: expected a Hub id such as owner/name, got {repository!r}.")
    path = find_task_file(run, offline=True)
    file = load_task_file(path)
    payload = without_folders(path.read_bytes(), path)
    card = task_card(reduced(file.meta), repository=repository, size=len(payload), license=license)
    operations = [
        CommitOperationAdd(TASK_FILE, payload),
        CommitOperationAdd("README.md", card.encode()),
    ]
    message = f"Add the task {file.meta['task']['name']}"
    try:
        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        commit = api.create_commit(repository, operations, commit_message=message)
    except Exception as error:  # the classes of network errors differ between client versions
        raise InputError(
            f"{repository}: the Hub did not accept the task; log in with `hf auth login` and check "
            f"the network ({one_line(error)})."
        ) from error
    return commit.commit_url


def _no_single_run(folder: Path) -> InputError:
    content = find_runs(folder)
    paths = [*content.runs, *content.files]
    if not paths:
        return InputError(f"{content.left_out[0]}.")
    names = ", ".join(str(path.relative_to(folder)) for path in paths[:MAX_NAMED])
    ellipsis = ", ..." if len(paths) > MAX_NAMED else ""
    return InputError(
        f"{folder}: expected one run, got a folder of {len(paths)} ({names}{ellipsis}); give one"
        " of them."
    )


def _download(name: str, revision: str | None) -> Path:
    try:
        return Path(with_backoff(lambda: hf_hub_download(name, TASK_FILE, revision=revision), name))
    except InputError:
        raise
    except (RepositoryNotFoundError, RemoteEntryNotFoundError) as error:
        raise InputError(
            f"{name}: neither a run folder nor a repository on the Hub with {TASK_FILE}; check "
            "the spelling, or log in if it is private."
        ) from error
    except Exception as error:  # the classes of network errors differ between client versions
        raise InputError(
            f"{name}: no such run folder, not in the Hub's cache, and the download failed "
            f"({one_line(error)})."
        ) from error
