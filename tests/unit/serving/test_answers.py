"""Answers by HTTP, steps by WebSocket, and the client: what the run itself says."""

import concurrent.futures
import json

import numpy as np
import pytest
from websockets.sync.client import connect

import ostinato
from ostinato.serving.client import ServerError
from tests.unit.serving.conftest import GOLDEN


def asked(http, name, inputs, **options):
    found = http.post(f"/v1/runs/{name}/answer", json={"inputs": inputs, "options": options})
    assert found.status_code == 200, found.text
    return found.json()["outputs"]


def test_numbers_are_answered_as_predict_answers_them(http, runs):
    run = ostinato.load(runs / "classify")
    inputs = [np.arange(12.0).reshape(6, 2), np.ones((4, 2))]
    assert asked(http, "classify", [each.tolist() for each in inputs]) == run.predict(inputs)


def test_sentences_and_rows(http, runs):
    tagged = ostinato.load(runs / "tag").predict([["the", "cat", "sat"]])
    assert asked(http, "tag", [["the", "cat", "sat"]]) == [tagged[0]._asdict()]
    rows = [dict(zip(("day", "sales"), line.split(","), strict=True))
            for line in (GOLDEN / "sales.csv").read_text().splitlines()[1:]]  # fmt: skip
    expected = ostinato.load(runs / "forecast").predict(str(GOLDEN / "sales.csv"))
    assert asked(http, "forecast", rows) == expected
    assert asked(http, "forecast", rows, steps=2) == expected[:2]
    content = (GOLDEN / "sales.csv").read_bytes()
    headers = {"Content-Type": "text/csv"}
    by_file = http.post("/v1/runs/forecast/answer", params={"format": "csv"}, content=content, headers=headers)
    assert by_file.json()["outputs"] == expected


def test_a_file_that_cannot_be_read_is_said_without_our_paths(http):
    refused = http.post("/v1/runs/forecast/answer", params={"format": "csv"}, content=b"a,b\n1,2\n")
    assert refused.status_code == 422
    assert "input.csv" in refused.json()["detail"]
    assert "/tmp" not in refused.json()["detail"]
    for ending in ("../x", "parquet", "gz", "png"):
        assert http.post("/v1/runs/forecast/answer", params={"format": ending}, content=b"1").status_code == 422


def socket_of(server, name):
    return connect(f"{server.replace('http', 'ws')}/v1/runs/{name}/stream")


def test_a_text_by_websocket(server, runs):
    expected = "".join(ostinato.load(runs / "lm").generate("the ", 40, seed=3))
    with socket_of(server, "lm") as socket:
        for _ in range(2):
            socket.send(json.dumps({"prompt": "the ", "length": 40, "seed": 3}))
            text = ""
            while "text" in (piece := json.loads(socket.recv(10))):
                text += piece["text"]
            assert (text, piece) == (expected, {"done": True})
        socket.send("{")
        assert json.loads(socket.recv(10))["status"] == 400
        socket.send(json.dumps({"length": 90_000}))
        socket.recv(10)
        socket.send(json.dumps({"cancel": True}))
        while "text" in (piece := json.loads(socket.recv(10))):
            pass
        assert piece == {"done": True}


def test_each_step_has_the_answer_of_all_so_far(server, runs):
    run, values = ostinato.load(runs / "classify"), np.random.default_rng(1).normal(size=(5, 2))
    with socket_of(server, "classify") as socket:
        for t in range(5):
            socket.send(json.dumps({"step": values[t].tolist()}))
            found, (expected,) = json.loads(socket.recv(10))["output"], run.predict([values[: t + 1]])
            assert found["label"] == expected["label"]
            assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-6)
        socket.send(json.dumps({"step": [1.0]}))
        assert "expected 2 channels, got 1" in json.loads(socket.recv(10))["detail"]


def test_steps_of_many_are_those_of_each_alone(server, runs):
    """Thirty sequences side by side, of which some send several steps at once: the same numbers to the last bit."""
    values = np.random.default_rng(2).normal(size=(30, 8, 2))

    def answers(number):
        found, sent = [], 0
        with socket_of(server, "classify") as socket:
            while sent < 8:
                steps = values[number, sent : sent + 1 + number % 3].tolist()
                socket.send(json.dumps({"steps": steps}))
                found += [json.loads(socket.recv(20))["output"] for _ in steps]
                sent += len(steps)
        return found

    with concurrent.futures.ThreadPoolExecutor(30) as pool:
        together = list(pool.map(answers, range(30)))
    assert together == [answers(number) for number in range(30)]


def test_a_step_that_cannot_be_read_leaves_the_others(server):
    with socket_of(server, "classify") as socket:
        socket.send(json.dumps({"steps": [[1.0, 2.0], ["x", 2.0], [3.0, 4.0]]}))
        assert "output" in json.loads(socket.recv(10))
        assert "expected" in json.loads(socket.recv(10))["detail"]
        socket.send(json.dumps({"step": [3.0, 4.0]}))
        found = json.loads(socket.recv(10))
    with socket_of(server, "classify") as socket:
        socket.send(json.dumps({"steps": [[1.0, 2.0], [3.0, 4.0]]}))
        socket.recv(10)
        assert json.loads(socket.recv(10)) == found


def test_a_series_goes_on_row_by_row(server, runs):
    run = ostinato.load(runs / "forecast")
    lines = (GOLDEN / "sales.csv").read_text().splitlines()[1:]
    rows = [dict(zip(("day", "sales"), line.split(","), strict=True)) for line in lines]
    window = run.codec.shape.window
    with socket_of(server, "forecast") as socket:
        socket.send(json.dumps({"steps": rows[: window + 3]}))
        found = [json.loads(socket.recv(20))["output"] for _ in range(window + 3)]
    assert found[: window - 1] == [None] * (window - 1)
    assert found[window + 2] == run.predict(rows[: window + 3])


def test_a_model_that_reads_both_ways_says_so(server):
    with socket_of(server, "tag") as socket:
        assert "reads both ways" in json.loads(socket.recv(10))["detail"]


def test_the_client(server, runs):
    run = ostinato.load(runs / "lm")
    with ostinato.Client(server) as client:
        assert {one["name"] for one in client.runs()} == {"lm", "forecast", "tag", "classify"}
        expected = "".join(run.generate("the ", 30, seed=1))
        assert client.generate("lm", "the ", 30, seed=1) == expected
        assert "".join(client.stream("lm", "the ", 30, seed=1)) == expected
        with client.session("lm", "the ") as session:
            saved, other = session.save(), session.fork()
            assert session.generate(length=30, seed=1) == "".join(other.stream(length=30, seed=1)) == expected
            session.restore(saved)
            assert session.generate(length=30, seed=1) == expected
            assert client.session("lm", state=saved).generate(length=30, seed=1) == expected
        with pytest.raises(ServerError, match=r"404.*no such session"):
            session.generate()
        assert client.answer("classify", [np.ones((3, 2))])[0]["label"] in ("up", "down")
        with client.steps("classify") as steps:
            answers = [*steps.push(np.ones(2)), *steps.push([1.0, 1.0], [1.0, 1.0])]
            with pytest.raises(ServerError, match="expected 2 channels"):
                steps.push([1.0])
        assert answers[-1]["label"] == client.answer("classify", [np.ones((3, 2))])[0]["label"]
        assert client.run("classify")["streams"]
        assert client.ready()
        assert "ostinato_requests_total" in client.metrics()
        assert "/v1/runs/{name}/answer" in client.openapi()["paths"]
        assert client.answer_file("forecast", GOLDEN / "sales.csv")
    with pytest.raises(ServerError, match="no answer"), ostinato.Client("http://127.0.0.1:9") as nobody:
        nobody.runs()
    with pytest.raises(ServerError, match="404"), ostinato.Client(server) as client:
        client.run("../lm")
