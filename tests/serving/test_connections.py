"""Connections that are silent, slow or too many, on a real server."""

import asyncio
import contextlib
import json
import resource
import socket
import time

import httpx2
import pytest
from uvicorn.server import ServerState

from maskjax.config import Limits
from maskjax.errors import InputError
from maskjax.serving import connections, make_app, server

QUICK = {"header_seconds": 0.3, "body_seconds": 0.5, "idle_seconds": 0.4}
ASK = b'POST /models/mood HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n{"inputs": "a"}'


@pytest.fixture
def connect(serving, predictor):
    """Starts a server with quick deadlines; gives a function that opens raw connections to it."""
    with contextlib.ExitStack() as opened:
        port = []

        def connect(**limits):
            if not port:
                address = serving(predictor, limits=Limits(**{**QUICK, **limits}))
                port.append(int(address.rsplit(":", 1)[1]))
            client = opened.enter_context(socket.socket())
            client.settimeout(10)
            client.connect(("127.0.0.1", port[0]))
            return client

        yield connect


def read_all(client):
    """What comes until the server closes, and the seconds until then."""
    start, received = time.monotonic(), b""
    with contextlib.suppress(ConnectionResetError):
        while piece := client.recv(1 << 16):
            received += piece
    return received, time.monotonic() - start


def read_answer(client):
    """One response; the connection stays open."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += client.recv(1 << 16)
    head, body = received.split(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(1 << 16)
    return int(head.split()[1]), json.loads(body)


def trickle(client, payload, seconds=0.05):
    """Sends a byte at a time until the server closes the connection."""
    client.setblocking(False)
    with contextlib.suppress(OSError):
        for place in range(len(payload)):
            client.send(payload[place : place + 1])
            time.sleep(seconds)
            with contextlib.suppress(BlockingIOError):
                client.recv(1, socket.MSG_PEEK)
                break
    client.settimeout(10)


def test_silent_connection_is_closed(connect):
    received, seconds = read_all(connect())
    assert received == b""
    assert 0.2 < seconds < 2


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100, "the headers"),
        (ASK.replace(b"15", b"999").replace(b'"a"}', b'"' + b"a" * 100), "the body"),
    ],
)
@pytest.mark.parametrize("slowly", [True, False])
def test_incomplete_request_is_408(connect, sent, part, slowly):
    client, start = connect(), time.monotonic()
    head = sent.index(b"\r\n\r\n") + 4 if part == "the body" else 10
    client.sendall(sent[:head] if slowly else sent)
    if slowly:
        trickle(client, sent[head:])
    received, _ = read_all(client)
    assert time.monotonic() - start < 2
    head, body = received.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\nconnection: close")
    seconds = {"the headers": "0.3", "the body": "0.5"}[part]
    assert json.loads(body) == {"error": f"{part}: expected within {seconds} s"}


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"GET /heal"])
def test_answered_connection_is_kept_for_a_while(connect, sent):
    client = connect()
    for _ in range(2):
        client.sendall(ASK)
        assert read_answer(client)[0] == 200
    client.sendall(sent)
    received, seconds = read_all(client)
    assert received.startswith(b"HTTP/1.1 408") if sent.strip() else received == b""
    assert 0.2 < seconds < 2


def test_endless_headers_are_cut_off(connect):
    client = connect(header_seconds=5)
    with contextlib.suppress(OSError):
        client.sendall(b"GET / HTTP/1.1\r\nA: ")
        for _ in range(100):
            client.sendall(b"a" * 65536)
    received, seconds = read_all(client)
    assert seconds < 2
    assert received == b"" or received.startswith(b"HTTP/1.1 431")  # or the client was cut off


def test_an_answer_may_take_longer_than_any_deadline(connect, predictor):
    """This includes pipelined requests and one that arrives in parts."""
    predictor.seconds = 0.8
    client = connect()
    client.sendall(ASK * 2 + ASK[:30])
    for _ in range(2):
        assert read_answer(client)[0] == 200
    client.sendall(ASK[30:])
    assert read_answer(client) == (200, [predictor.answer("mood", "a")])


class Unread(asyncio.Transport):
    """A transport whose client reads so many bytes."""

    def __init__(self, reads):
        super().__init__()
        self.reads, self.written, self.closed, self.aborted = reads, b"", False, False

    def write(self, data):
        self.written += data

    def get_write_buffer_size(self):
        return max(0, len(self.written) - self.reads)

    def close(self):
        self.closed = True

    def abort(self):
        self.aborted = True

    def is_closing(self):
        return self.closed or self.aborted

    def pause_reading(self):
        pass

    resume_reading = pause_reading


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize(("reads", "aborted"), [(10, True), (10**6, False)])
def test_client_that_does_not_read_its_answer_is_cut_off(predictor, header, reads, aborted):
    async def answer_and_wait():
        limits = Limits(body_seconds=0.1, idle_seconds=0.05)
        config = connections.ServerConfig(make_app(predictor), limits, log_level="critical")
        config.load()
        loop, transport = asyncio.get_running_loop(), Unread(reads)
        protocol = connections.GuardedProtocol(
            config, server_state=ServerState(), app_state={}, _loop=loop
        )
        protocol.connection_made(transport)
        protocol.data_received(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n")
        await asyncio.sleep(0.3)
        return transport

    transport = asyncio.run(answer_and_wait())
    assert transport.written.startswith(b"HTTP/1.1 200")
    assert transport.closed
    assert transport.aborted is aborted


def test_connections_beyond_the_limit_get_503(connect):
    kept = connect(connections=5, header_seconds=30, idle_seconds=30)
    kept.sendall(ASK)
    assert read_answer(kept)[0] == 200
    silent = [connect() for _ in range(4)]
    late = connect()
    late.sendall(ASK)
    answer, _ = read_all(late)
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable")
    assert b"\r\nretry-after: 1\r\n" in answer
    assert b'{"error":"too many connections are open; try again in 1 s"}' in answer
    probe = connect()
    probe.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert read_answer(probe) == (200, {"status": "alive"})
    kept.sendall(ASK)
    assert read_answer(kept)[0] == 200
    for client in (*silent, probe):
        client.close()
    time.sleep(0.1)
    late = connect()
    late.sendall(ASK)
    assert read_answer(late)[0] == 200


def test_connections_far_over_the_limit_are_cut(connect, monkeypatch):
    monkeypatch.setattr(connections, "SPARE", 2)
    opened = [connect(connections=2, header_seconds=30) for _ in range(4)]
    assert read_all(connect())[0] == b""
    opened[3].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert read_answer(opened[3])[0] == 200


def test_five_hundred_silent_connections_do_not_block_others(serving, predictor):
    address = serving(predictor)
    host, port = address.removeprefix("http://").split(":")
    with contextlib.ExitStack() as opened:
        for _ in range(500):
            opened.enter_context(socket.create_connection((host, int(port))))
        for path in ("healthz", "readyz", "metrics", "tasks"):
            assert httpx2.get(f"{address}/{path}", timeout=1).status_code == 200
        response = httpx2.post(f"{address}/models/mood", json={"inputs": "a"}, timeout=1)
        assert response.status_code == 200


def test_connections_are_limited_by_open_files(monkeypatch, caplog):
    now = [256, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda which, both: now.__setitem__(slice(2), both))
    assert server.fit_open_files(Limits(connections=1000)).connections == 1000
    assert now == [1512, 4096]
    assert not caplog.records
    assert server.fit_open_files(Limits(connections=5000)).connections == 3584
    assert now == [4096, 4096]
    assert "--connections 5000: this process may open 4096 files" in caplog.text


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_deadlines_must_be_positive_seconds(value):
    with pytest.raises(InputError, match="--body-seconds: expected a positive number of seconds"):
        Limits(body_seconds=value)
