"""A real server on loopback, and clients that behave badly."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.serving import Metrics, Watcher, bind


def connect(address):
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def request_bytes(body, path="/models/mood"):
    payload = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(payload)}\r\n\r\n"
    return head.encode() + payload


def wait_until(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_rows_of_clients_that_hang_up_are_not_run(serving, predictor):
    """Rows of thirty closed connections are not run; the open one is answered."""
    predictor.gate.clear()
    address = serving(predictor)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(httpx2.post, f"{address}/models/mood", json={"inputs": "first"})
        wait_until(lambda: predictor.batches)
        gone = [connect(address) for _ in range(30)]
        for number, client in enumerate(gone):
            client.sendall(request_bytes({"inputs": f"gone {number}"}))
        metrics = f"{address}/metrics"
        wait_until(lambda: "maskjax_queue_rows 31.0" in httpx2.get(metrics).text)
        for client in gone:
            client.close()
        wait_until(lambda: "maskjax_queue_rows 1.0" in httpx2.get(metrics).text)
        last = pool.submit(httpx2.post, f"{address}/models/mood", json={"inputs": "last"})
        wait_until(lambda: "maskjax_queue_rows 2.0" in httpx2.get(metrics).text)
        predictor.gate.set()
        assert [first.result().status_code, last.result().status_code] == [200, 200]
    run = [row.texts[0] for batch in predictor.batches for row in batch]
    assert run == ["first", "last"]
    text = httpx2.get(metrics).text
    assert "maskjax_dropped_rows_total 30.0" in text
    assert 'maskjax_requests_total{status="499"} 30.0' in text


def test_client_that_leaves_within_its_body_is_499(serving, predictor):
    address = serving(predictor)
    with connect(address) as client:
        client.sendall(request_bytes({"inputs": "a" * 1000})[:-10])
        time.sleep(0.1)
    text = httpx2.get(f"{address}/metrics").text
    wait_until(lambda: 'status="499"} 1.0' in httpx2.get(f"{address}/metrics").text)
    assert 'status="500"' not in text


@pytest.mark.parametrize(
    "junk", [b"\x00\x01\x02\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x y\r\n: \r\n\r\n"]
)
def test_bytes_that_are_not_http_are_400(serving, predictor, junk):
    address = serving(predictor)
    with connect(address) as client:
        client.sendall(junk)
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"Traceback" not in answer
    assert httpx2.get(f"{address}/healthz").status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_of_ten_megabytes_are_413(serving, predictor, chunked):
    address = serving(predictor)
    whole = json.dumps({"inputs": "a" * 10_000_000}).encode()
    pieces = (whole[at : at + 65536] for at in range(0, len(whole), 65536))
    with httpx2.Client() as client:
        for body in (pieces if chunked else whole, b'{"inputs": "a"}'):
            response = client.post(f"{address}/models/mood", content=body)
            if body != b'{"inputs": "a"}':
                assert response.status_code == 413
                assert "at most 1,048,576 bytes" in response.json()["error"]
    assert response.status_code == 200


def test_overload_is_429_and_other_requests_are_answered(serving, predictor):
    predictor.seconds = 0.02
    address = serving(predictor, limits=Limits(waiting_rows=4, request_rows=2))
    with httpx2.Client() as client, ThreadPoolExecutor(32) as pool:
        url = f"{address}/models/mood"
        bodies = [{"inputs": [f"{number}", "x"]} for number in range(100)]
        responses = list(pool.map(lambda body: client.post(url, json=body), bodies))
    for number, response in enumerate(responses):
        if response.status_code == 200:
            expected = [predictor.answer("mood", text) for text in (f"{number}", "x")]
            assert response.json() == expected
        else:
            assert response.status_code == 429
            assert 1 <= int(response.headers["retry-after"]) <= 60
    assert len({response.status_code for response in responses}) == 2


def test_files_replaced_under_load_are_served_whole(serving, fake, tmp_path):
    """Every answer is that of a version that was there during the request."""
    predictor = fake.FakePredictor({})
    metrics = Metrics(predictor.resident)
    watcher = Watcher(tmp_path, predictor, metrics, seconds=0.02)
    file = tmp_path / "mood.mask"
    file.write_text("0")
    refused = 'maskjax_task_files_total{event="refused"} 1.0'
    address = serving(predictor, watcher=watcher, metrics=metrics)
    wait_until(lambda: httpx2.get(f"{address}/readyz").status_code == 200)
    assert predictor.warm
    stop, scores = threading.Event(), set()

    def ask():
        with httpx2.Client() as client:
            while not stop.is_set():
                response = client.post(f"{address}/models/mood", json={"inputs": "a"})
                assert response.status_code == 200
                scores.add(response.json()[0][0]["score"])

    with ThreadPoolExecutor() as pool:
        loops = [pool.submit(ask) for _ in range(4)]
        for version in ("0", "1", "damaged", "2", "3"):
            part = tmp_path / "part"
            part.write_text(version)
            part.replace(file)
            if version == "damaged":
                wait_until(lambda: refused in httpx2.get(f"{address}/metrics").text)
            else:
                score = fake.share("mood", version, "a")
                wait_until(lambda score=score: score in scores)
        file.unlink()
        stop.set()
        for loop in loops:
            loop.result()
    assert scores == {fake.share("mood", version, "a") for version in "0123"}
    wait_until(lambda: httpx2.post(f"{address}/models/mood", json={"inputs": "a"}).is_error)
    response = httpx2.post(f"{address}/models/mood", json={"inputs": "a"})
    assert response.status_code == 404


@pytest.mark.parametrize("drain", [0, 0.5])
def test_accepted_requests_are_answered_after_sigterm(fake, tmp_path, drain):
    """Sixteen clients ask while the server gets SIGTERM; what they asked before is answered.

    With time to drain, no client that polls at /readyz, as load balancers do, meets an error.
    """
    (tmp_path / "mood.mask").write_text("1")
    program = [sys.executable, str(Path(__file__).with_name("fake.py")), str(tmp_path), "0.3"]
    server = subprocess.Popen(
        [*program, str(drain)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    address = f"http://127.0.0.1:{int(server.stdout.readline())}"
    wait_until(lambda: is_ready(address) == 200, 60)
    answered, failed, ready = [], [], threading.Event()
    ready.set()

    def ask():
        while ready.is_set():
            start = time.monotonic()
            try:
                response = client.post(f"{address}/models/mood", json={"inputs": "a"})
            except httpx2.TransportError:
                failed.append(start)
                return
            assert response.json()[0][0]["score"] == fake.share("mood", "1", "a")
            answered.append(start)

    with httpx2.Client() as client, ThreadPoolExecutor(16) as pool:
        loops = [pool.submit(ask) for _ in range(16)]
        wait_until(lambda: len(answered) > 30)
        signalled = time.monotonic()
        server.send_signal(signal.SIGTERM)
        wait_until(lambda: is_ready(address, client) == (503 if drain else None))
        ready.clear()
        for loop in loops:
            loop.result()
    _, log = server.communicate(timeout=20)
    assert server.returncode == -signal.SIGTERM
    assert b"Traceback" not in log
    assert sum(start < signalled for start in answered) > 30
    assert not drain or not failed
    assert all(start > signalled - 0.02 for start in failed)


def is_ready(address, client=httpx2):
    try:
        return client.get(f"{address}/readyz").status_code
    except httpx2.TransportError:
        return None


def test_port_in_use_is_an_input_error():
    with bind("127.0.0.1", 0) as bound:
        bound.listen()
        with pytest.raises(InputError, match=r"--port: 127.0.0.1 port \d+: .*in use"):
            bind("127.0.0.1", bound.getsockname()[1])


def test_tokenizing_stops_for_clients_that_hang_up(serving, predictor):
    """A request has fifty parts of 50 ms; few are tokenized once the client is gone."""
    calls, prepare = [], predictor.prepare

    def slow(inputs, task, **options):
        calls.append(inputs)
        time.sleep(0.05)
        return prepare(inputs, task, **options)

    predictor.prepare = slow
    address = serving(predictor)
    with connect(address) as client:
        client.sendall(request_bytes({"inputs": ["x" * 16_000] * 50}))
        wait_until(lambda: calls)
    wait_until(lambda: "maskjax_queue_rows 0.0" in httpx2.get(f"{address}/metrics").text)
    count = len(calls)
    time.sleep(0.2)
    assert len(calls) == count < 10
    assert not predictor.batches
