"""`ostinato serve` as a process: how it ends, what it says to whom meanwhile, and a run that changes under load."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import ostinato

httpx = pytest.importorskip("httpx2", reason="needs the extra `serve`")
pytest.importorskip("uvicorn", reason="needs the extra `serve`")
websockets = pytest.importorskip("websockets", reason="needs the extra `serve`")
pytest.importorskip("websockets.sync.client")

LM = Path(__file__).parents[1] / "golden" / "trained" / "lm"
ASKED = {"prompt": "the ", "length": 60, "seed": 1}


@contextmanager
def serving(*paths, **options):
    """The command over run folders: its address and process."""
    more = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "ostinato", "serve", *map(str, paths), "--port", "0", "--json", *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        # with --json the address comes in the log
        yield _address(process), process
    finally:
        process.kill()
        process.communicate()


def _address(process):
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError("it does not say where it serves")


def place_of(address):
    return address.rpartition("/")[2].split(":")[0], int(address.rpartition(":")[2])


@pytest.mark.slow
def test_told_to_end_it_finishes_what_it_writes_and_lets_all_others_go():
    with serving(LM) as (address, process), httpx.Client(base_url=address, timeout=60) as http:
        kept = socket.create_connection(place_of(address))  # an idle connection that is kept alive
        kept.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in kept.recv(1000)
        half = socket.create_connection(place_of(address))  # a request that never ends
        half.sendall(b"POST /v1/runs/lm/generate HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        with websockets.sync.client.connect(f"{address.replace('http', 'ws')}/v1/runs/lm/stream") as idle:
            asked = ASKED | {"length": 6_000, "stream": True}
            with http.stream("POST", "/v1/runs/lm/generate", json=asked) as response:
                lines = response.iter_lines()
                pieces = [next(lines)]
                process.send_signal(signal.SIGTERM)
                refused = None
                while refused is None or refused.status_code != 503:  # another connection: its door is open still
                    refused = httpx.post(f"{address}/v1/runs/lm/generate", json=ASKED)
                assert "ending" in refused.json()["detail"]
                pieces += list(lines)
            said = [json.loads(line.removeprefix("data: ")) for line in pieces if line]
            assert said[-1] == {"done": True}
            text = "".join(piece.get("text", "") for piece in said)
            assert len(text) == 6_000
            assert text.startswith("".join(ostinato.load(LM).generate("the ", 500, seed=1)))
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                idle.recv(20)
        out, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert json.loads(out) == {"address": address, "runs": ["lm"]}
        kept.close()
        half.close()


@pytest.mark.slow
def test_told_twice_it_ends_where_it_stands():
    with serving(LM) as (address, process), httpx.Client(base_url=address, timeout=60) as http:
        with http.stream("POST", "/v1/runs/lm/generate", json={"length": 100_000, "stream": True}) as response:
            next(response.iter_lines())
            process.send_signal(signal.SIGTERM)
            while httpx.get(f"{address}/ready").status_code != 503:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        assert process.returncode == -signal.SIGTERM


@pytest.mark.slow
def test_another_model_is_taken_under_load_without_a_lost_request(tmp_path):
    """Texts and sessions go on while the folder gets one model, then the other, then a damaged file."""
    folder = tmp_path / "lm"
    shutil.copytree(LM, folder)
    weights, run = folder / "model.safetensors", ostinato.load(folder)
    one = weights.read_bytes()
    texts = {"".join(run.generate("the ", 60, seed=1))}
    with torch.no_grad():
        run.model.decoder.bias.add_(torch.linspace(0, 3, len(run.model.decoder.bias)))
    run.folder.save_weights(run.model)
    other = weights.read_bytes()
    texts.add("".join(ostinato.load(folder).generate("the ", 60, seed=1)))
    assert len(texts) == 2
    found, lost, stop = [], [], threading.Event()

    def ask(address):
        with httpx.Client(base_url=address, timeout=60) as http:
            while not stop.is_set():
                answer = http.post("/v1/runs/lm/generate", json=ASKED)
                if answer.status_code == 200 and answer.json()["text"] in texts:
                    found.append(answer.json()["text"])
                else:
                    lost.append(answer.text)

    def replace(content):
        made = tmp_path / "made"
        made.write_bytes(content)
        made.replace(weights)

    with serving(folder) as (address, process), httpx.Client(base_url=address, timeout=60) as http:

        def taken(outcome):
            page = http.get("/metrics").text
            said = re.search(rf'ostinato_reloads_total{{outcome="{outcome}"}} (\S+)', page)
            return 0 if said is None else float(said[1])

        threading.Thread(target=process.stderr.read, daemon=True).start()
        asking = [threading.Thread(target=ask, args=(address,)) for _ in range(6)]
        for thread in asking:
            thread.start()
        for number, (content, outcome, count) in enumerate(
            ((one, "taken", 1), (other, "taken", 2), (one[:700], "refused", 1), (one, "taken", 3))
        ):
            replace(content)
            deadline = time.monotonic() + 60
            while taken(outcome) < count:
                assert time.monotonic() < deadline, (number, lost[:1])
                time.sleep(0.05)
        stop.set()
        for thread in asking:
            thread.join(60)
        assert not lost
        assert set(found) == texts
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_token_that_others_may_read_is_refused(tmp_path, mode):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123")
    token.chmod(mode)
    command = [sys.executable, "-m", "ostinato", "serve", str(LM), "--port", "0", "--token-file", str(token)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 2
    assert "others than its owner may read it" in ran.stderr
    assert "Traceback" not in ran.stderr
