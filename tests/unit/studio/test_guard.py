"""Who gets in, and who does not."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from ostinato.studio.guard import Guard

SECRET, PORT = "a secret", 8400
HOME, SOCKET = f"http://127.0.0.1:{PORT}", f"ws://127.0.0.1:{PORT}/ws"


async def echo(socket):
    await socket.accept()
    await socket.send_text("in")
    await socket.close()


def client(base=HOME):
    def inside(request):
        return PlainTextResponse("in")

    routes = [Route("/", inside), Route("/change", inside, methods=["GET", "POST"]), WebSocketRoute("/ws", echo)]
    return TestClient(Guard(Starlette(routes=routes), SECRET, PORT, ["one()"]), base_url=base, follow_redirects=False)


@pytest.fixture
def entered():
    browser = client()
    assert browser.get("/", params={"key": SECRET}).status_code == 303
    return browser


def test_nothing_without_the_key():
    browser = client()
    assert browser.get("/").status_code == 401
    assert "ostinato studio" in browser.get("/").text
    answer = browser.post("/change")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert browser.get("/", params={"key": "another"}).status_code == 401


def test_the_key_becomes_a_cookie_and_leaves_the_address(entered):
    answer = client().get("/", params={"key": SECRET})
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert entered.get("/").text == "in"


def test_a_program_shows_the_key_as_a_bearer():
    browser = client()
    assert browser.post("/change", headers={"authorization": f"Bearer {SECRET}"}).text == "in"
    assert browser.post("/change", headers={"authorization": "Bearer another"}).status_code == 401


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", ""])
def test_a_name_that_leads_here_is_not_ours(entered, host):
    assert entered.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:3000", f"http://localhost:{PORT}", "null"])
def test_another_page_changes_nothing(entered, origin):
    assert entered.post("/change", headers={"origin": origin}).status_code == 403
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        entered.websocket_connect(SOCKET, headers={"origin": origin}),
    ):
        pass
    assert refused.value.status_code == 403


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_a_browser_that_tells_where_a_request_is_from_is_believed(entered, site):
    assert entered.post("/change", headers={"sec-fetch-site": site}).status_code == 403


def test_our_own_page_does(entered):
    assert entered.post("/change", headers={"origin": HOME}).text == "in"
    with entered.websocket_connect(SOCKET, headers={"origin": HOME}) as socket:
        assert socket.receive_text() == "in"


def test_every_answer_keeps_the_page_by_itself(entered):
    for answer in (entered.get("/"), client().get("/"), entered.get("/", headers={"host": "evil.example"})):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        # openssl: printf 'one()' | openssl dgst -sha256 -binary | base64
        assert "'sha256-HR7iaask9daLMRRskMI++QeJtjWDOjyPA6lGzYGzKW4='" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
