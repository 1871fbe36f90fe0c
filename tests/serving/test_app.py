"""Requests in, answers out: shapes, errors and limits, without a socket."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.serving import make_app
from maskjax.tasks import Task


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
def test_inputs_of_every_kind_are_answered(client, predictor, task, inputs, rows):
    response = client.post("/", json={"task": task, "inputs": inputs})
    assert response.status_code == 200, response.text
    answers = response.json()
    if task == "tags":
        answers = [[without_places(word) for word in answer] for answer in answers]
    assert answers == [predictor.answer(task, *row) for row in rows]


def without_places(word):
    return {key: value for key, value in word.items() if key not in ("start", "end")}


@pytest.mark.parametrize(
    ("name", "path"), [("a b.c", "a%20b.c"), ("rte/seed-0", "rte/seed-0"), ("a/b?", "a%2Fb%3F")]
)
def test_path_may_name_the_task(client, predictor, name, path):
    predictor.tasks[name] = predictor.tasks["mood"]
    answer = client.post(f"/models/{path}", json={"inputs": "x"}).json()
    assert answer == [predictor.answer(name, "x")]


def test_single_sentence_of_words_is_answered_as_one_list(client, predictor):
    for inputs in ("New York", {"words": ["New", "York"]}):
        answer = client.post("/models/tags", json={"inputs": inputs}).json()
        assert [without_places(word) for word in answer] == predictor.answer("tags", "New", "York")
        assert [(word["start"], word["end"]) for word in answer] == [(0, 3), (4, 8)]


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
        (
            {"inputs": "a", "task": "stars", "parameters": {"top_k": 1}},
            422,
            "top_k: means nothing for",
        ),
        (
            {"inputs": "a", "task": "stars", "parameters": {"function_to_apply": "softmax"}},
            422,
            "function_to_apply: expected 'none' or 'sigmoid'",
        ),
        (
            {"inputs": "a", "task": "mood", "parameters": {"function_to_apply": []}},
            422,
            "function_to_apply: expected 'softmax' or 'sigmoid' or 'none'",
        ),
        (
            {"inputs": "a", "task": "tags", "parameters": {"aggregation_strategy": "most"}},
            422,
            "aggregation_strategy: expected 'none' or 'simple'",
        ),
        ({"inputs": "a", "task": "tags", "parameters": {"ignore_labels": "O"}}, 422, "labels"),
        ({"inputs": "a", "task": "tags", "parameters": {"stride": 1}}, 422, "expected null"),
        ({"inputs": "a", "task": None, "parameters": {"x": 1}}, 422, "none for features"),
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
def test_wrong_requests_get_an_explanation(client, predictor, body, status, words):
    content = body if isinstance(body, bytes) else json.dumps(body)
    response = client.post("/", content=content)
    assert response.status_code == status
    assert words in response.json()["error"]
    assert not predictor.batches


def test_the_path_and_the_body_may_not_name_two_tasks(client):
    response = client.post("/models/mood", json={"inputs": "a", "task": "stars"})
    assert response.status_code == 422
    assert client.post("/models/mood", json={"inputs": "a", "task": "mood"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"inputs": "a", "truncate": False}, "truncate: expected True"),
        ({"inputs": "a", "truncation_direction": "left"}, "truncation_direction: expected 'right'"),
        ({"inputs": "a", "prompt_name": "query"}, "prompt_name: expected null"),
        ({"inputs": "a", "dimensions": 1}, "dimensions: expected null"),
        ({"inputs": "a", "parameters": {"normalized": 1}}, "did you mean normalize?"),
        ({"inputs": "a", "normalize": 1}, "normalize: expected true or false"),
        ({"inputs": [["a", "b"]]}, "inputs[0]: expected a text"),
    ],
)
def test_unsupported_vector_options_are_refused(client, body, words):
    for path in ("", "/models/mood"):
        response = client.post(f"{path}/pipeline/feature-extraction", json=body)
        assert response.status_code == 422
        assert words in response.json()["error"]
    assert client.post("/models/x/pipeline/feature-extraction", json=body).status_code == 404


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/no", 404), ("PUT", "/", 405)])
def test_unknown_paths_and_methods_are_errors(client, method, path, status):
    response = client.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]


def test_task_removed_while_its_row_waits_is_404(client, predictor):
    predictor.before = lambda: predictor.remove("mood")
    response = client.post("/models/mood", json={"inputs": "a"})
    assert (response.status_code, response.json()) == (404, {"error": "no task 'mood'"})


def test_row_refused_by_the_predictor_is_422(client, predictor):
    def refuse():
        raise InputError("this row does not fit")

    predictor.before = refuse
    response = client.post("/models/mood", json={"inputs": "a"})
    assert (response.status_code, response.json()) == (422, {"error": "this row does not fit"})


def test_internal_errors_hide_their_details(client, predictor):
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
def test_requests_over_the_limits_are_413(predictor, limits, inputs, words):
    with TestClient(make_app(predictor, limits=Limits(**limits))) as client:
        assert client.post("/models/mood", json={"inputs": ["a"]}).status_code == 200
        response = client.post("/models/mood", json={"inputs": inputs})
        assert response.status_code == 413
        assert words in response.json()["error"]


def test_full_queue_is_429_with_retry_after(predictor):
    limits = Limits(waiting_rows=2, request_rows=2)
    app = make_app(predictor, limits=limits)
    with TestClient(app) as client, app.state.service._batcher.admit(1):
        response = client.post("/models/mood", json={"inputs": ["a", "b"]})
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
        assert client.post("/models/mood", json={"inputs": ["a"]}).status_code == 200


def test_token_protects_all_but_health(predictor):
    with TestClient(make_app(predictor, token="secret")) as client:
        for path in ("/", "/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        for headers in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "secret"},
            {"Authorization": "Basic secret"},
        ):
            for path in ("/tasks", "/metrics"):
                refusal = client.get(path, headers=headers)
                assert refusal.status_code == 401
                assert refusal.headers["www-authenticate"] == "Bearer"
            body = {"inputs": "a", "task": "mood"}
            assert client.post("/", json=body, headers=headers).status_code == 401
        for scheme in ("Bearer ", "bearer ", "BEARER ", "Bearer  "):
            right = {"Authorization": f"{scheme}secret"}
            assert client.get("/tasks", headers=right).status_code == 200
            assert client.post("/", json=body, headers=right).status_code == 200


def test_tasks_are_listed_with_their_kind_and_labels(client, predictor):
    tasks = client.get("/tasks").json()
    assert [task["name"] for task in tasks] == sorted(predictor.tasks)
    assert tasks[0] == {
        "name": "mood",
        "kind": "classification",
        "labels": ["sad", "glad", "odd"],
        "metric": "accuracy",
        "text": ["text"],
    }


def test_health_and_readiness_differ_while_stopping(client):
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json() == {"status": "ready"}
    client.app.state.service.stopping = True
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_metrics_count_requests_rows_and_bytes(client, predictor):
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


def test_page_loads_nothing_from_other_sites(client):
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
def test_limits_that_admit_nothing_are_refused(limits, option):
    with pytest.raises(InputError, match=option):
        Limits(**limits)


def test_short_requests_are_tokenized_between_parts_of_long_ones(predictor):
    """A short request is tokenized while one of a hundred long rows is."""
    order, prepare = [], predictor.prepare

    def slow(inputs, task, **options):
        order.append(len(inputs))
        time.sleep(0.01)
        return prepare(inputs, task, **options)

    predictor.prepare = slow
    app = make_app(predictor)
    with TestClient(app) as client, ThreadPoolExecutor(1) as pool:
        body = {"inputs": ["! " * 4000] * 100, "task": "mood"}
        long = pool.submit(client.post, "/", json=body)
        while len(order) < 3:
            time.sleep(0.001)
        assert client.post("/models/mood", json={"inputs": "a"}).status_code == 200
        assert client.get("/metrics").status_code == 200
        assert not long.done()
        assert long.result().status_code == 413  # more tokens than a request may have
    assert order.count(1) == 1
    assert len(order) < 50  # it ends where it is known to be too long
    assert order.count(2) == len(order) - 1


@pytest.mark.parametrize("name", ["half \udcff", "two\nlines", 'quo"te', "{braces}", "ümläut"])
def test_odd_names_and_labels_do_not_break_other_answers(predictor, name):
    predictor.tasks[name] = Task(name=name, labels=(name, "no"))
    with TestClient(make_app(predictor)) as client:
        labels = {task["name"]: task["labels"] for task in client.get("/tasks").json()}
        assert labels[name] == [name, "no"]
        answer = client.post("/", content=json.dumps({"task": name, "inputs": "a"}))
        assert answer.status_code == 200
        metrics = client.get("/metrics")
        assert metrics.status_code == 200
        assert metrics.text.count("maskjax_request_seconds_count") == 1
        wrong = client.post("/", content=json.dumps({"task": name + "x", "inputs": "a"}))
        assert wrong.status_code == 404
        assert client.get("/").status_code == 200


def test_deeply_nested_values_are_shown_in_part(client):
    deep = "[" * 800 + "]" * 800
    response = client.post("/models/mood", content=f'{{"inputs": {{"a": {deep}}}}}')
    assert response.status_code == 422
    assert len(response.text) < 200


LONG = "word " * 50


@pytest.mark.parametrize("task", ["mood", "same", "stars", "tags", "next", None])
def test_truncated_inputs_are_named_in_a_header_and_in_their_answers(client, task):
    more = {"same": ["a"], "next": ["a", "b"]}.get(task, [])
    inputs = [[text, *more] if more else text for text in ("a", LONG, "b", LONG)]
    response = client.post("/", json={"task": task, "inputs": inputs})
    assert response.status_code == 200
    assert response.headers["x-truncated-inputs"] == "1,3"
    for number, answer in enumerate(response.json()):
        if task is not None:
            assert [part.get("truncated") for part in answer] == [
                True if number in (1, 3) else None
            ] * len(answer)
    response = client.post("/", json={"task": task, "inputs": inputs[::2]})
    assert "x-truncated-inputs" not in response.headers
    assert "truncated" not in response.text


def test_truncated_texts_are_told_for_vectors_and_entities(client):
    response = client.post("/pipeline/feature-extraction", json={"inputs": [LONG, "a"]})
    assert response.headers["x-truncated-inputs"] == "0"
    body = {"inputs": [LONG, "a"], "parameters": {"aggregation_strategy": "simple"}}
    (cut,), (whole,) = client.post("/models/tags", json=body).json()
    assert cut["truncated"] is True
    assert "truncated" not in whole
