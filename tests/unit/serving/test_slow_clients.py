"""Clients that take nothing of what is sent, take it late, or go away in the midst of it."""

import contextlib
import json
import socket
import struct
import time

import pytest

import ostinato
from ostinato.serving import engine, texts
from tests.unit.serving.conftest import until_idle

RUN = "/v1/runs/lm"
SMALL = 4_096  # bytes of the buffers between a client and the server, on either side
ENDLESS = {"length": 90_000, "stream": True}


@pytest.fixture(autouse=True)
def each_token_by_itself(monkeypatch):
    """So that the buffers are full soon."""
    monkeypatch.setattr(engine, "_APART", 0.0)


def connected(http):
    """A connection that takes little into its buffers."""
    opened = socket.socket()
    for way in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        opened.setsockopt(socket.SOL_SOCKET, way, SMALL)
    opened.settimeout(60)
    opened.connect((http.base_url.host, http.base_url.port))
    return opened


def by_events(http, asked):
    """A stream of server-sent events of which nothing is read."""
    opened, body = connected(http), json.dumps(asked).encode()
    head = f"POST {RUN}/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    opened.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return opened


def by_socket(http, asked):
    """The same by WebSocket, by hand: whatever knows the protocol reads in the background."""
    opened, body = connected(http), json.dumps(asked).encode()
    head = f"GET {RUN}/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    opened.sendall(f"{head}{key}".encode())
    assert b" 101 " in opened.recv(1_000)
    opened.sendall(frame(b"\x81", body))
    return opened


def frame(kind, content):
    """A client's frame, masked by zeros."""
    assert len(content) < 126
    return kind + bytes([0x80 | len(content)]) + bytes(4) + content


def all_of(opened):
    """What still comes, to the end."""
    found = []
    with contextlib.suppress(ConnectionResetError):
        while part := opened.recv(65_536):
            found.append(part)
    return b"".join(found)


def until_busy(app):
    """Wait until a text is being written."""
    model, until = app.state.serving.runs["lm"].ready_model(), time.monotonic() + 10
    while not model.busy:
        assert time.monotonic() < until
        time.sleep(0.005)


@pytest.mark.parametrize("way", [by_events, by_socket])
def test_who_reads_nothing_is_let_go_and_holds_nobody_up(serve, way):
    http, app = serve(limit_slow=0.4, limit_active=2, buffers=SMALL)
    opened = way(http, ENDLESS)
    until_busy(app)
    assert http.post(f"{RUN}/generate", json={"length": 30, "seed": 1}).status_code == 200
    assert until_idle(app, 60) == 0  # its place is free
    assert http.post(f"{RUN}/generate", json={"length": 3}).status_code == 200
    sent = all_of(opened)
    assert len(sent) < 10 * SMALL  # the connection has ended, and nothing was kept for it
    assert b"done" not in sent
    opened.close()


def test_what_is_not_taken_is_not_written_and_goes_on_when_it_is(serve, monkeypatch):
    monkeypatch.setattr(texts, "_AHEAD", 50)
    http, app = serve(limit_slow=20, buffers=SMALL)
    opened = by_events(http, ENDLESS | {"prompt": "the ", "seed": 1})
    until_busy(app)

    def written():
        return app.state.serving.metrics.registry.get_sample_value("ostinato_tokens_total")

    before = -1.0
    while written() != before:
        before = written()
        time.sleep(0.5)
    assert 50 <= before < 40_000  # however few pieces they came in, more letters than the buffers hold
    assert app.state.serving.under_way
    assert http.post(f"{RUN}/generate", json={"length": 30, "seed": 1}).status_code == 200
    found, text = b"", ""
    while len(text) < before + 500:
        found += opened.recv(65_536)
        lines = [line for line in found.split(b"\r\n")[:-1] if line.startswith(b"data: ")]
        text = "".join(json.loads(line[6:])["text"] for line in lines)
    opened.close()
    run = ostinato.load(app.state.serving.runs["lm"].path)
    assert text == "".join(run.generate("the ", len(text), seed=1))


def test_an_answer_that_is_not_taken_is_let_go(serve):
    """Requests one behind the other, of which no answer is read: each waits for the one before it to be taken."""
    http, app = serve(limit_slow=0.4, buffers=SMALL)
    opened = connected(http)
    opened.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
    time.sleep(0.1)
    assert app.state.serving.under_way
    assert until_idle(app, 60) == 0
    opened.close()


def test_pings_without_end_are_not_answered_to_who_reads_nothing(serve):
    http, app = serve(limit_slow=0.5, buffers=SMALL)
    opened, ping = by_socket(http, ENDLESS), frame(b"\x89", bytes(125))
    sent = 0
    with contextlib.suppress(OSError):  # the connection ends
        while sent < 10_000_000:
            sent += opened.send(ping * 10)
    assert sent < 100 * SMALL  # what the buffers of both sides hold, and some answers
    assert until_idle(app, 60) == 0
    opened.close()


@pytest.mark.parametrize("way", [by_events, by_socket])
@pytest.mark.parametrize("how", ["closed", "reset"])
def test_closed_in_mid_stream(serve, way, how):
    http, app = serve(limit_slow=20)
    for _ in range(5):
        opened = way(http, ENDLESS)
        opened.recv(200)
        if how == "reset":
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        opened.close()
    assert until_idle(app, 60) == 0
