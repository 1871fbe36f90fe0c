"""Task files by Hub id: a cache in the Hub's layout, and a Hub that takes a commit."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import huggingface_hub
import pytest
from huggingface_hub import ModelCard

from maskjax.errors import InputError
from maskjax.taskfile import TASK_FILE, find_task_file, load_task_file, push_task, save_task_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAME = "someone/sentiment"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def cached(cache, task):
    repository = cache / "models--someone--sentiment"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT, encoding="utf8")
    (repository / "snapshots" / COMMIT).mkdir(parents=True)
    file = repository / "snapshots" / COMMIT / TASK_FILE
    save_task_file(file, task)
    return file


def test_the_cache_is_found_without_network(cached, task):
    assert find_task_file(NAME) == cached
    assert find_task_file(NAME, revision=COMMIT, offline=True) == cached
    assert load_task_file(find_task_file(NAME)).masks.keys() == task.masks.keys()


def test_a_local_folder_comes_before_the_hub(cached, tmp_path, monkeypatch, task):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).mkdir(parents=True)
    save_task_file(tmp_path / NAME / TASK_FILE, task)
    assert find_task_file(NAME).resolve() == (tmp_path / NAME / TASK_FILE).resolve()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "nowhere: no such run folder or task file"),
        ("a/b/c", "no such run folder"),
        ("./a/b", "no such run folder"),
        ("runs/task.safetensors", "no such run folder"),
        ("someone/task-1.5", "not in the Hub's cache, and the download failed"),
        ("someone/else", "not in the Hub's cache, and the download failed"),
    ],
)
def test_missing_task_file_is_named(cache, name, message):
    with pytest.raises(InputError, match=message) as caught:
        find_task_file(name)
    assert "\n" not in str(caught.value)


def test_offline_and_unfinished_runs_are_refused(cache, tmp_path):
    with pytest.raises(InputError, match="run once online"):
        find_task_file("someone/else", offline=True)
    with pytest.raises(InputError, match="holds no finished run"):
        find_task_file(tmp_path)


class Hub(BaseHTTPRequestHandler):
    """Takes a repository and a commit, and keeps what was sent."""

    received: dict[str, bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        path = self.path.split("?")[0]
        self.received[path] = body
        address = f"http://{self.headers['Host']}/{NAME}"
        answer = {"url": address, "commitUrl": f"{address}/commit/{COMMIT}", "commitOid": COMMIT}
        if path.endswith("preupload/main"):
            files = [file["path"] for file in json.loads(body)["files"]]
            answer = {
                "files": [
                    {"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in files
                ]
            }
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *words) -> None:
        pass


@pytest.fixture
def hub(monkeypatch):
    """A Hub on this machine; gives what it received by address."""
    Hub.received = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(
        "maskjax.taskfile.hub.HfApi",
        lambda: huggingface_hub.HfApi(f"http://127.0.0.1:{server.server_port}", token="hf_x"),
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    yield Hub.received
    server.shutdown()
    server.server_close()


def test_pushing_sends_the_file_and_its_card(hub, task, tmp_path):
    save_task_file(tmp_path / TASK_FILE, task)
    address = push_task(tmp_path, NAME, private=True, license="apache-2.0")
    assert address.endswith(f"/{NAME}/commit/{COMMIT}")
    assert b"private" in hub["/api/repos/create"]
    lines = hub[f"/api/models/{NAME}/commit/main"].decode().splitlines()
    files = [json.loads(line)["value"] for line in lines[1:]]
    assert [file["path"] for file in files] == [TASK_FILE, "README.md"]


def test_push_refused_by_the_hub_is_an_error(task, tmp_path, monkeypatch):
    save_task_file(tmp_path / TASK_FILE, task)
    monkeypatch.setattr(
        "maskjax.taskfile.hub.HfApi",
        lambda: huggingface_hub.HfApi("http://127.0.0.1:9", token="hf_x"),
    )
    with pytest.raises(InputError, match=f"{NAME}: the Hub did not accept the task; log in"):
        push_task(tmp_path, NAME)
    with pytest.raises(InputError, match="expected a Hub id"):
        push_task(tmp_path, "no id")


def test_card_has_the_metadata_of_the_hub(task):
    from maskjax.taskfile import task_card

    meta = {**task.meta, "base": {"name": "bert-base-uncased", "revision": COMMIT}}
    card = ModelCard(task_card(meta, repository=NAME, size=12_345, license="apache-2.0"))
    assert card.data.base_model == "bert-base-uncased"
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "maskjax"
    assert card.data.eval_results[0].metric_value == 0.75
    assert "12,345 bytes" in card.text
    assert f'load_predictor("{NAME}")' in card.text
    assert "| dev | 0.7500 |" in card.text
