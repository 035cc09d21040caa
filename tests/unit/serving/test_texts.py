"""Texts and sessions over HTTP: those that a run writes alone, whoever writes beside them."""

import concurrent.futures
import json
import threading
import time

import pytest
import safetensors.torch
import torch

import ostinato
from tests.unit.serving.conftest import until_idle

RUN = "/v1/runs/lm"


@pytest.fixture(scope="module")
def run(runs):
    return ostinato.load(runs / "lm")


def text_of(response):
    assert response.status_code == 200, response.text
    return response.json()["text"]


def events(response):
    return [json.loads(line.removeprefix("data: ")) for line in response.text.splitlines() if line]


WAYS = (
    {"seed": 1},
    {"seed": 2, "temperature": 0.5},
    {"seed": 3, "top_k": 3, "top_p": 0.9},
    {"greedy": True},
    {"seed": 4, "stop": "a"},
)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_the_text_is_that_of_generate(http, run, way):
    expected = "".join(run.generate("the ", 50, **way))
    asked = {"prompt": "the ", "length": 50, **way}
    assert text_of(http.post(f"{RUN}/generate", json=asked)) == expected
    streamed = http.post(f"{RUN}/generate", json=asked | {"stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    *pieces, last = events(streamed)
    assert "".join(piece["text"] for piece in pieces) == expected
    assert last == {"done": True}


def test_texts_written_at_once_are_those_written_alone(http, run):
    asked = [{"prompt": "the cat "[: n % 9], "length": 20 + 7 * n, **WAYS[n % len(WAYS)]} for n in range(24)]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        found = list(pool.map(lambda each: text_of(http.post(f"{RUN}/generate", json=each)), asked))
    for each, text in zip(asked, found, strict=True):
        assert text == "".join(run.generate(each.pop("prompt"), each.pop("length"), **each))


def test_a_session_goes_on_from_where_it_stands(http, run):
    session = f"{RUN}/sessions/" + http.post(f"{RUN}/sessions", json={"prompt": "the "}).json()["id"]
    expected = "".join(run.generate("the ", 60, greedy=True))
    first = text_of(http.post(f"{session}/generate", json={"length": 25, "greedy": True}))
    second = text_of(http.post(f"{session}/generate", json={"length": 35, "greedy": True}))
    assert first + second == expected


def test_a_prompt_in_parts_is_the_prompt(http, run):
    session = f"{RUN}/sessions/" + http.post(f"{RUN}/sessions").json()["id"]
    assert text_of(http.post(f"{session}/generate", json={"prompt": "the c", "length": 0})) == ""
    found = text_of(http.post(f"{session}/generate", json={"prompt": "at ", "length": 40, "seed": 9}))
    assert found == "".join(run.generate("the cat ", 40, seed=9))


def test_a_fork_goes_its_own_way(http, run):
    one = f"{RUN}/sessions/" + http.post(f"{RUN}/sessions", json={"prompt": "the "}).json()["id"]
    made = http.post(f"{one}/fork")
    assert made.status_code == 201
    other = f"{RUN}/sessions/" + made.json()["id"]
    assert one != other
    found = [text_of(http.post(f"{each}/generate", json={"length": 30, "seed": 5})) for each in (one, other)]
    assert found == ["".join(run.generate("the ", 30, seed=5))] * 2


def test_a_state_is_saved_and_given_back(http, run):
    session = f"{RUN}/sessions/" + http.post(f"{RUN}/sessions", json={"prompt": "the cat"}).json()["id"]
    saved = http.get(f"{session}/state")
    tensors = safetensors.torch.load(saved.content)
    ids = run.tokenizer.encode("the cat")
    with torch.inference_mode():
        state = run.model(torch.tensor([0, *ids[:-1]]).unsqueeze(1)).state
    assert tensors.pop("token").tolist() == [ids[-1]]
    assert tensors.pop("after").tolist() == [ord("t")]
    assert [*tensors] == ["recurrent.c", "recurrent.h"] or [*tensors] == ["recurrent.h", "recurrent.c"]
    assert torch.equal(tensors["recurrent.h"], state[0])
    assert torch.equal(tensors["recurrent.c"], state[1])
    expected = text_of(http.post(f"{session}/generate", json={"length": 30, "seed": 2}))
    assert http.put(f"{session}/state", content=saved.content).status_code == 204
    assert text_of(http.post(f"{session}/generate", json={"length": 30, "seed": 2})) == expected
    octets = {"Content-Type": "application/octet-stream"}
    again = http.post(f"{RUN}/sessions", content=saved.content, headers=octets).json()["id"]
    assert text_of(http.post(f"{RUN}/sessions/{again}/generate", json={"length": 30, "seed": 2})) == expected


def damaged(content, **changes):
    tensors = safetensors.torch.load(content) | changes
    return safetensors.torch.save({name: tensor for name, tensor in tensors.items() if tensor is not None})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"token": torch.tensor([24])}, "0 to 23, got 24"),
        ({"token": torch.tensor([-1])}, "0 to 23, got -1"),
        ({"token": torch.tensor([0.5])}, "expected torch.int64"),
        ({"recurrent.h": torch.zeros(2, 1, 5)}, "recurrent.h: expected torch.float32 of shape"),
        ({"recurrent.h": torch.full((2, 1, 4), torch.nan)}, "finite"),
        ({"recurrent.h": None}, "expected the fields"),
        ({"more": torch.zeros(1)}, "expected the fields"),
        ({"after": torch.tensor([1 << 30], dtype=torch.int32)}, "code point"),
    ],
)
def test_a_state_that_does_not_fit_is_refused(http, changes, said):
    session = f"{RUN}/sessions/" + http.post(f"{RUN}/sessions", json={"prompt": "the "}).json()["id"]
    before = http.get(f"{session}/state").content
    refused = http.put(f"{session}/state", content=damaged(before, **changes))
    assert refused.status_code == 422
    assert said in refused.json()["detail"]
    assert http.put(f"{session}/state", content=b"no safetensors").status_code == 422
    assert http.get(f"{session}/state").content == before


def test_a_deleted_session_is_gone(http):
    session = f"{RUN}/sessions/" + http.post(f"{RUN}/sessions").json()["id"]
    assert http.delete(session).status_code == 204
    assert http.delete(session).status_code == 404
    assert http.post(f"{session}/generate", json={}).status_code == 404


def test_one_request_at_a_session_at_a_time(http):
    session = f"{RUN}/sessions/" + http.post(f"{RUN}/sessions").json()["id"]
    with http.stream("POST", f"{session}/generate", json={"length": 50_000, "stream": True}) as response:
        lines = response.iter_lines()
        next(lines)
        for each in (f"{session}/generate", f"{session}/fork"):
            assert http.post(each, json={}).status_code == 409


def test_who_goes_away_makes_room_and_leaves_the_session_where_it_came_to(serve):
    http, app = serve(limit_active=1)
    session = f"{RUN}/sessions/" + http.post(f"{RUN}/sessions").json()["id"]
    text = ""
    asked = {"length": 90_000, "stream": True, "greedy": True}
    with http.stream("POST", f"{session}/generate", json=asked) as response:
        for line in response.iter_lines():
            text += json.loads(line.removeprefix("data: "))["text"] if line else ""
            if len(text) > 20:
                break
    began = time.monotonic()
    assert text_of(http.post(f"{RUN}/generate", json={"length": 3, "seed": 1}))  # the one place is free again
    assert time.monotonic() - began < 1
    assert until_idle(app) == 0
    more = text_of(http.post(f"{session}/generate", json={"length": 5, "greedy": True}))
    assert len(more) == 5


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt": "日本"}, "characters that the model has never seen: '日', '本'"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"length": -1}, "length"),
        ({"length": 10**9}, "length: expected at most 100,000"),
        ({"seed": -1}, "--seed"),
        ({"seed": 1 << 63}, "seed"),
        ({"sed": 1}, "unknown field `sed`"),
        ({"length": "ten"}, "Expected `int`"),
    ],
)
def test_what_cannot_be_written_is_said(http, asked, said):
    refused = http.post(f"{RUN}/generate", json=asked)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert said in refused.json()["detail"]


def test_sessions_and_texts_are_limited(serve):
    http, app = serve(limit_sessions=2, limit_active=1, limit_queue=1, limit_time=0.5)
    made = [http.post(f"{RUN}/sessions").json()["id"] for _ in range(2)]
    assert http.post(f"{RUN}/sessions").status_code == 429
    assert http.post(f"{RUN}/sessions/{made[0]}/fork").status_code == 429
    found = []

    def ask():
        found.append(http.post(f"{RUN}/generate", json={"length": 100_000}).status_code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    assert http.post(f"{RUN}/generate", json={"length": 100_000}).status_code == 429
    for thread in threads:
        thread.join()
    assert found == [503, 503]  # too long, for both
    assert until_idle(app) == 0


def test_idle_sessions_are_forgotten(serve):
    http, app = serve(limit_idle=0.05)
    session = http.post(f"{RUN}/sessions").json()["id"]
    assert len(app.state.serving.sessions) == 1
    time.sleep(0.1)
    app.state.serving.sessions.forget_idle()
    assert http.post(f"{RUN}/sessions/{session}/generate", json={}).status_code == 404
