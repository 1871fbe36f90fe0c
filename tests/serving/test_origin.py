"""The host names that a server on loopback accepts, and the origins of pages."""

import pytest
from starlette.testclient import TestClient

from maskjax.serving import make_app

HERE = "localhost:8000"


@pytest.fixture
def ask(predictor):
    """The status and error of a request with these headers, sent by a plain form."""
    with TestClient(make_app(predictor, hosts=["demo.example"])) as client:

        def ask(host=HERE, origin=None, path="/models/mood"):
            headers = {"Host": host, "Content-Type": "text/plain"}
            headers |= {} if origin is None else {"Origin": origin}
            response = client.post(path, content='{"inputs": "a"}', headers=headers)
            return response.status_code, response.text

        yield ask


@pytest.mark.parametrize(
    "host",
    [HERE, "LOCALHOST", "127.0.0.1:8000", "127.8.9.1", "[::1]:8000", "a.localhost", "localhost.:8",
     "demo.example", "Demo.Example:443"],
)  # fmt: skip
def test_own_host_names_are_answered(ask, host):
    assert ask(host)[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.7:8000",
     "evil.example@localhost.evil", "[::1", "", "demo.example.evil"],
)  # fmt: skip
def test_foreign_host_names_are_refused(ask, host, predictor):
    status, text = ask(host)
    assert status == 421
    assert "expected a name of this machine such as localhost, got" in text
    assert not predictor.batches


@pytest.mark.parametrize(
    ("host", "origin"),
    [(HERE, f"http://{HERE}"), ("[::1]:8000", "http://[::1]:8000"), ("Localhost", "http://localhost"),
     ("demo.example", "https://demo.example"), (HERE, "https://demo.example")],
)  # fmt: skip
def test_pages_of_the_server_are_answered(ask, host, origin):
    assert ask(host, origin)[0] == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://localhost:3000", "http://localhost:8000.evil.example",
     "http://evil.example/localhost:8000", "https://evil.demo.example", "http://[::1", ""],
)  # fmt: skip
def test_pages_of_other_sites_are_refused(ask, origin, predictor):
    status, text = ask(origin=origin)
    assert status == 403
    assert "Origin: expected a page of this server, got" in text
    assert not predictor.batches


def test_only_probes_are_answered_under_any_name(predictor):
    with TestClient(make_app(predictor, hosts=[])) as client:
        for path in ("/healthz", "/readyz"):
            assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200
        assert client.get("/tasks", headers={"Host": "10.0.0.7:8000"}).status_code == 421


def test_no_check_without_known_names(predictor):
    with TestClient(make_app(predictor)) as client:
        headers = {"Host": "anything", "Origin": "http://elsewhere"}
        assert client.post("/models/mood", json={"inputs": "a"}, headers=headers).is_success
