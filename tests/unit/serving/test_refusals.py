"""What is refused, and how: who may come in, bodies of every kind, limits, and folders that come to harm."""

import json
import shutil
import socket

import httpx2 as httpx
import pytest
import torch

import ostinato
from ostinato.config.serving import Serve, ServeLimits, ServeSettings
from ostinato.core.errors import ConfigError
from ostinato.serving.guard import read_token
from tests.unit.serving.conftest import served, until_idle

TOKEN = "0123456789abcdef0123"
HEAD = (
    "POST /v1/runs/lm/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    "Content-Length: {}\r\n\r\n"
)


@pytest.fixture
def token_file(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    file.chmod(0o600)
    return file


def test_without_the_token_nobody_comes_in(serve, token_file):
    http, _ = serve(settings=ServeSettings(token_file=str(token_file)))
    assert http.get("/health").status_code == http.get("/ready").status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        refused = http.get("/v1/runs", headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
    assert http.get("/metrics").status_code == 401
    assert http.get("/v1/runs", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_token_that_others_may_read_is_refused(token_file, mode):
    token_file.chmod(mode)
    with pytest.raises(ConfigError, match="others than its owner may read it"):
        read_token(str(token_file))


@pytest.mark.parametrize("content", ["", "short", "two words of text 0123456789"])
def test_what_is_no_token_is_refused(token_file, content):
    token_file.write_text(content)
    with pytest.raises(ConfigError, match="one word of at least 16"):
        read_token(str(token_file))


def test_an_address_that_others_reach_needs_a_token():
    for host in ("0.0.0.0", "::", "192.168.1.1", "example.org"):
        with pytest.raises(ConfigError, match="--token-file"):
            Serve(runs=("a",), host=host)
        Serve(runs=("a",), host=host, insecure=True)
    for host in ("127.0.0.1", "::1", "localhost"):
        Serve(runs=("a",), host=host)


def test_pages_of_other_origins_may_not_ask(http, serve):
    assert http.get("/v1/runs", headers={"Origin": "https://example.org"}).status_code == 403
    assert http.get("/v1/runs", headers={"Origin": str(http.base_url).rstrip("/")}).status_code == 200
    asked, _ = serve(settings=ServeSettings(allow_origin=("https://example.org",)))
    allowed = asked.get("/v1/runs", headers={"Origin": "https://example.org"})
    assert allowed.headers["access-control-allow-origin"] == "https://example.org"
    assert asked.get("/v1/runs", headers={"Origin": "https://other.org"}).status_code == 403


def test_a_name_that_leads_here_is_not_ours(runs):
    with served([runs / "lm"], local=True) as (address, _), httpx.Client(base_url=address) as http:
        assert http.get("/health", headers={"Host": "evil.example"}).status_code == 403
        assert http.get("/health").status_code == 200


@pytest.mark.parametrize("name", ["..", "%2e%2e", "..%2flm", "lm%00", "%2fetc%2fpasswd", "LM", "x" * 5000])
def test_names_of_the_net_are_no_paths(http, name):
    assert http.get(f"/v1/runs/{name}").status_code == 404


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 422),
        (b"null", 422),
        (b"[]", 422),
        (b'{"inputs": []}', 422),
        (b'{"inputs": 1}', 422),
        (b'{"inputs": ["a"], "more": 1}', 422),
        (b'{"inputs": [[[1e999, 1]]]}', 422),
        (b'{"inputs": [[[1, 2], [3]]]}', 422),
        (b'{"inputs": [null]}', 422),
        (b'{"inputs": [{"a": 1}]}', 422),
        (b'{"inputs": ["x", 1]}', 422),
        (b'{"inputs": [[[1, 2]]], "options": {"images": "/etc"}}', 422),
        (b'{"inputs": [[[1, 2]]], "options": {"values": "x,y"}}', 422),
    ],
)
def test_bodies_that_cannot_be_answered(http, content, status):
    headers = {"Content-Type": "application/json"}
    refused = http.post("/v1/runs/classify/answer", content=content, headers=headers)
    assert refused.status_code == status, refused.text
    assert refused.json()["detail"]
    assert "Traceback" not in refused.text


def test_a_page_cannot_send_what_needs_no_leave(http):
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        refused = http.post("/v1/runs/lm/generate", content=b"{}", headers={"Content-Type": kind})
        assert refused.status_code == 415


def test_large_bodies_are_refused_before_they_have_come(serve):
    http, _ = serve(limit_body=0.01, limit_inputs=2, limit_length=100)
    path = "/v1/runs/lm"
    assert http.post(f"{path}/generate", content=b"x" * 20_000).status_code == 413
    pieces = (b"x" * 1000 for _ in range(20))
    assert http.post(f"{path}/generate", content=pieces).status_code == 413
    assert http.post(f"{path}/generate", json={"prompt": "a" * 101}).status_code == 422
    assert http.post(f"{path}/answer", json={"inputs": ["a"] * 3}).status_code == 413


def test_a_client_that_sends_slowly_is_told(serve):
    http, _ = serve(limit_slow=0.2)
    with socket.create_connection((http.base_url.host, http.base_url.port)) as slow:
        slow.sendall(HEAD.format(10).encode() + b"{")
        slow.settimeout(10)
        assert b"408" in slow.recv(1000).split(b"\r\n")[0]


def test_a_server_that_is_ending_says_so(serve):
    http, app = serve()
    app.state.serving.ending = True
    assert http.get("/health").json() == {"status": "ending"}
    assert http.get("/ready").status_code == 503
    assert http.post("/v1/runs/lm/generate", json={}).status_code == 503


def test_another_model_in_the_folder_is_taken_and_a_damaged_one_is_not(serve, runs, tmp_path):
    folder = tmp_path / "lm"
    shutil.copytree(runs / "lm", folder)
    http, app = serve(path=folder)
    asked = {"prompt": "the ", "length": 20, "seed": 1}

    def text():
        return http.post("/v1/runs/lm/generate", json=asked).json()["text"]

    expected, registry = text(), app.state.serving.runs
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:500])
    assert registry.renew() == []
    assert text() == expected
    run = ostinato.load(runs / "lm")
    with torch.no_grad():
        run.model.decoder.bias.add_(torch.linspace(0, 3, len(run.model.decoder.bias)))
    run.folder.__class__(folder).save_weights(run.model)
    assert len(registry.renew()) == 1
    assert text() == "".join(ostinato.load(folder).generate("the ", 20, seed=1)) != expected


def test_metrics_and_logs_tell_nothing_of_contents(http):
    http.post("/v1/runs/lm/generate", json={"prompt": "the cat", "length": 3})
    http.get("/v1/runs/a-name-that-somebody-sent")
    page = http.get("/metrics").text
    assert 'ostinato_requests_total{method="POST",route="generate",status="200"}' in page
    assert "a-name-that-somebody-sent" not in page
    assert "the cat" not in page


@pytest.mark.slow
def test_a_thousand_connections(serve):
    http, _ = serve()
    address = (http.base_url.host, http.base_url.port)
    opened = [socket.create_connection(address) for _ in range(1000)]
    try:
        assert http.post("/v1/runs/lm/generate", json={"length": 5}).status_code == 200
        for one in opened:
            one.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for one in opened:
            one.settimeout(30)
            assert b"200 OK" in one.recv(1000)
    finally:
        for one in opened:
            one.close()


@pytest.mark.slow
def test_every_route_from_its_schema(server):
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, given, settings

    schema = schemathesis.openapi.from_url(f"{server}/openapi.json")
    checks = [schemathesis.checks.not_a_server_error]
    for found in schema.get_all_operations():
        operation = found.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def ask(case):
            if isinstance(case.body, dict) and isinstance(case.body.get("length"), int):
                case.body["length"] = min(case.body["length"], 50)
            response = case.call(base_url=server)
            case.validate_response(response, checks=checks)
            assert response.status_code < 500
            if response.status_code >= 400:
                assert {"type", "title", "detail"} <= json.loads(response.text).keys()

        ask()


@pytest.mark.slow
def test_closed_sockets_leave_nothing_behind(serve):
    http, app = serve()
    body = json.dumps({"length": 50_000, "stream": True}).encode()
    for _ in range(50):
        with socket.create_connection((http.base_url.host, http.base_url.port)) as one:
            one.sendall(HEAD.format(len(body)).encode() + body)
            one.recv(200)
    assert until_idle(app) == 0  # no text goes on that nobody reads


def test_limits_have_bounds():
    for name in ("limit_body", "limit_time", "limit_active", "limit_inputs"):
        with pytest.raises(ConfigError, match=name.replace("_", "-")):
            ServeLimits(**{name: 0})
