"""Requests in, answers out: shapes, errors and limits, without a socket."""

import json

import pytest
from starlette.testclient import TestClient

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.serving import make_app


@pytest.fixture
def client(predictor):
    with TestClient(make_app(predictor), raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("task", "inputs", "rows"),
    [
        ("mood", "one text", [("one text",)]),
        ("mood", ["one", "two"], [("one",), ("two",)]),
        ("same", {"text": "a", "text_pair": "b"}, [("a", "b")]),
        ("same", [{"text": "a", "text_pair": "b"}, ["c", "d"]], [("a", "b"), ("c", "d")]),
        ("next", {"text": "a", "choices": ["b", "c"]}, [("a", "b", "c")]),
        ("next", [["a", "b", "c"]], [("a", "b", "c")]),
        ("tags", ["two words", ["New York", "is"]], [("two", "words"), ("New York", "is")]),
        ("stars", "a", [("a",)]),
        (None, "a", [("a",)]),
        (None, ["a", "b"], [("a",), ("b",)]),
    ],
)
def test_inputs_of_every_kind(client, predictor, task, inputs, rows):
    response = client.post("/", json={"task": task, "inputs": inputs})
    assert response.status_code == 200, response.text
    assert response.json() == [predictor.answer(task, *row) for row in rows]


def test_the_task_in_the_path(client, predictor):
    predictor.tasks["a b.c"] = predictor.tasks["mood"]
    answer = client.post("/models/a%20b.c", json={"inputs": "x"}).json()
    assert answer == [predictor.answer("a b.c", "x")]


def test_one_sentence_of_words_is_answered_without_a_list_around_it(client, predictor):
    for inputs in ("New York", {"words": ["New", "York"]}):
        answer = client.post("/models/tags", json={"inputs": inputs}).json()
        assert answer == predictor.answer("tags", "New", "York")


@pytest.mark.parametrize("task", ["mood", "next"])
def test_top_k_cuts_ranked_labels(client, task):
    inputs = "a" if task == "mood" else [["a", "b", "c"]]
    for top_k, count in ((1, 1), (2, 2), (9, 3), (None, 3)):
        body = {"inputs": inputs, "parameters": {"top_k": top_k}}
        (answer,) = client.post(f"/models/{task}", json=body).json()
        assert [len(answer), answer[0]["label"]] == [count, "a"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b'{"inputs": ', 400, "expected JSON"),
        (b"\xff\xfe", 400, "expected JSON"),
        (b"[" * 100_000, 400, "expected JSON"),
        (b'["a"]', 400, "object"),
        ({"task": "mood"}, 422, "inputs: expected one"),
        ({"inputs": "a"}, 422, "task: expected a name"),
        ({"inputs": "a", "task": 3}, 422, "task: expected a name"),
        ({"inputs": "a", "task": "mod"}, 404, "did you mean mood?"),
        ({"inputs": "a", "task": "mood", "option": {}}, 422, "there is no 'option'"),
        ({"inputs": "a", "task": "mood", "parameters": {"topk": 1}}, 422, "did you mean top_k?"),
        ({"inputs": "a", "task": "mood", "parameters": {"top_k": 0}}, 422, "positive"),
        ({"inputs": "a", "task": "mood", "parameters": {"top_k": True}}, 422, "positive"),
        ({"inputs": "a", "task": "stars", "parameters": {"top_k": 1}}, 422, "no labels to rank"),
        ({"inputs": "a", "task": "mood", "parameters": []}, 422, "parameters: expected an object"),
        ({"inputs": [], "task": "mood"}, 422, "at least one"),
        ({"inputs": None, "task": "mood"}, 422, "inputs: expected a text, got None"),
        ({"inputs": ["a", 5], "task": "mood"}, 422, "inputs[1]: expected a text, got 5"),
        ({"inputs": " ", "task": "mood"}, 422, "an empty one"),
        ({"inputs": "a", "task": "same"}, 422, "expected a pair"),
        ({"inputs": ["a", "b"], "task": "same"}, 422, "inputs[0]: expected a pair"),
        ({"inputs": [["a", "b", "c"]], "task": "same"}, 422, "got 3 texts in all"),
        ({"inputs": [["a", "b"]], "task": "next"}, 422, "with 2 choices, got 2 texts in all"),
        ({"inputs": {"text": "a", "choices": "bc"}, "task": "next"}, 422, "choices"),
        ({"inputs": {"words": []}, "task": "tags"}, 422, "an empty one"),
        ({"inputs": [["a", 1]], "task": "tags"}, 422, "words"),
        (b'{"inputs": "\\ud800", "task": "mood"}', 422, "surrogate"),
    ],
)
def test_wrong_requests_are_told_what_is_wrong(client, predictor, body, status, words):
    content = body if isinstance(body, bytes) else json.dumps(body)
    response = client.post("/", content=content)
    assert response.status_code == status
    assert words in response.json()["error"]
    assert not predictor.batches


def test_the_path_and_the_body_may_not_name_two_tasks(client):
    response = client.post("/models/mood", json={"inputs": "a", "task": "stars"})
    assert response.status_code == 422
    assert client.post("/models/mood", json={"inputs": "a", "task": "mood"}).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/no", 404), ("PUT", "/", 405)])
def test_paths_and_methods_that_are_not_there(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]


def test_a_task_that_goes_while_its_row_waits(client, predictor):
    predictor.before = lambda: predictor.remove("mood")
    response = client.post("/models/mood", json={"inputs": "a"})
    assert (response.status_code, response.json()) == (404, {"error": "no task 'mood'"})


def test_a_row_that_the_predictor_refuses(client, predictor):
    def refuse():
        raise InputError("this row does not fit")

    predictor.before = refuse
    response = client.post("/models/mood", json={"inputs": "a"})
    assert (response.status_code, response.json()) == (422, {"error": "this row does not fit"})


def test_defects_show_no_insides(client, predictor):
    predictor.before = lambda: 1 / 0
    response = client.post("/models/mood", json={"inputs": "a"})
    assert response.status_code == 500
    assert response.json() == {"error": "an error of the server's own; its log has it"}


@pytest.mark.parametrize(
    ("limits", "inputs", "words"),
    [
        ({"body_bytes": 100}, "a" * 100, "at most 100 bytes"),
        ({"request_rows": 2}, ["a"] * 3, "at most 2, got 3"),
        ({"request_tokens": 40}, ["a"] * 3, "at most 40 tokens, got 48"),
    ],
)
def test_limits(predictor, limits, inputs, words):
    with TestClient(make_app(predictor, limits=Limits(**limits))) as client:
        assert client.post("/models/mood", json={"inputs": ["a"]}).status_code == 200
        response = client.post("/models/mood", json={"inputs": inputs})
        assert response.status_code == 413
        assert words in response.json()["error"]


def test_a_full_queue_says_when_to_come_back(predictor):
    limits = Limits(waiting_rows=2, request_rows=2)
    app = make_app(predictor, limits=limits)
    with TestClient(app) as client, app.state.service._batcher.admit(1):
        response = client.post("/models/mood", json={"inputs": ["a", "b"]})
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
        assert client.post("/models/mood", json={"inputs": ["a"]}).status_code == 200


def test_the_token(predictor):
    with TestClient(make_app(predictor, token="secret")) as client:
        for path in ("/", "/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            for path in ("/tasks", "/metrics"):
                refusal = client.get(path, headers=headers)
                assert refusal.status_code == 401
                assert refusal.headers["www-authenticate"] == "Bearer"
            body = {"inputs": "a", "task": "mood"}
            assert client.post("/", json=body, headers=headers).status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert client.get("/tasks", headers=right).status_code == 200
        assert client.post("/", json=body, headers=right).status_code == 200


def test_the_list_of_tasks(client, predictor):
    tasks = client.get("/tasks").json()
    assert [task["name"] for task in tasks] == sorted(predictor.tasks)
    assert tasks[0] == {
        "name": "mood",
        "kind": "classification",
        "labels": ["sad", "glad", "odd"],
        "metric": "accuracy",
        "text": ["text"],
    }


def test_health(client):
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json() == {"status": "ready"}
    client.app.state.service.stopping = True
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_metrics(client, predictor):
    client.post("/models/mood", json={"inputs": ["a", "b"]})
    client.post("/models/none", json={"inputs": "a"})
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'maskjax_requests_total{status="200"} 1.0',
        'maskjax_requests_total{status="404"} 1.0',
        'maskjax_request_seconds_count{task="mood"} 1.0',
        "maskjax_batch_rows_sum 2.0",
        "maskjax_queue_rows 0.0",
        "maskjax_tasks 5.0",
        'maskjax_resident_bytes{place="base"} 1000.0',
    ):
        assert line in lines


def test_the_page_needs_nothing_from_elsewhere(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "//" not in page.text.replace("// What", "")
    for name in ("text", "further", "token"):
        assert f'<label for="{name}">' in page.text
        assert f'id="{name}"' in page.text


@pytest.mark.parametrize(
    ("limits", "option"),
    [
        ({"batch_tokens": 0}, "--batch-tokens"),
        ({"wait_ms": -1.0}, "--wait-ms"),
        ({"request_rows": 2000}, "--request-rows"),
    ],
)
def test_limits_that_let_nothing_through(limits, option):
    with pytest.raises(InputError, match=option):
        Limits(**limits)
