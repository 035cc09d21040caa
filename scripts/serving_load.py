"""Measure `ostinato serve`: sessions that write at once, steps under load, idle sessions, first bytes, a long soak.

    python scripts/serving_load.py --out benchmarks/results/serving.md [--soak MINUTES] [--only speed,steps,idle,first]

The server is a process of its own; who asks it runs here, on the same machine: figures are of both together.
"""

import argparse
import asyncio
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2 as httpx
import websockets

import ostinato
from ostinato.bench.machine import describe

SESSIONS = 64
LENGTH = 400  # tokens that each writes
IDLE = 10_000
TURNS = 12  # of a measurement of single steps
RATE = 20  # requests a second of the soak
KINDS = ("text", "text", "stream", "session", "session", "answer", "answer", "socket", "numbers", "gone", "bad", "bad")
OCTETS = {"content-type": "application/octet-stream"}
TEXT = "/v1/runs/char"
PROMPT = "The "


def trained(folder):
    """A language model of the preset `char`, and a classifier of numbers."""
    from pydoc_data.topics import topics

    text = folder / "help.txt"
    text.write_text("\n\n".join(topics[name].strip() for name in sorted(topics)), encoding="utf-8")
    ostinato.train("lm", str(text), out=folder / "char", preset="char", time_limit=40.0)
    lines = ["id,t,x,label"]
    lines += [f"{row},{t},{t * (row % 2 + 1) % 3},{'ab'[row % 2]}" for row in range(40) for t in range(8)]
    (folder / "waves.csv").write_text("\n".join(lines) + "\n")
    ostinato.train("classify", folder / "waves.csv", out=folder / "waves", label="label", id="id", time="t", values="x",
                   bidirectional=False, pooling="last", epochs=2)  # fmt: skip


@contextmanager
def served(folder, *more):
    """A server of both; its address and process."""
    command = [sys.executable, "-m", "ostinato", "serve", folder / "char", folder / "waves", "--port", "0", *more]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            line = process.stdout.readline()
            yield re.search(r"http://\S+:\d+", line)[0], process
        finally:
            process.terminate()
            process.wait(60)


@asynccontextmanager
async def client(address):
    """Any number of connections to it."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=address, timeout=300, limits=limits) as http:
        yield http


def memory(process):
    """Bytes of it that are in memory."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


async def session(http, prompt=PROMPT):
    """The address of a new one."""
    made = await http.post(f"{TEXT}/sessions", json={"prompt": prompt})
    return f"{TEXT}/sessions/{made.json()['id']}"


async def write(http, path, length, *, stream=False):
    """Tokens written, of one request."""
    asked = {"length": length, "seed": 1, "stream": stream}
    if not stream:
        return len((await http.post(f"{path}/generate", json=asked)).json()["text"])
    async with http.stream("POST", f"{path}/generate", json=asked) as response:
        pieces = [json.loads(line[6:]) async for line in response.aiter_lines() if line]
    return sum(len(piece.get("text", "")) for piece in pieces)


async def speed(address):
    """Characters a second: one session at a time, and 64 at once; in turns, the best of each."""
    best = Counter()
    async with client(address) as http:
        paths = [await session(http) for _ in range(SESSIONS)]
        for _ in range(4):
            for stream in (False, True):
                for count, length in ((1, 1500), (SESSIONS, LENGTH)):
                    began = time.perf_counter()
                    written = await asyncio.gather(*(write(http, p, length, stream=stream) for p in paths[:count]))
                    key = ("streamed" if stream else "whole", count)
                    best[key] = max(best[key], sum(written) / (time.perf_counter() - began))
    return {
        f"{kind}: {SESSIONS} sessions at once": f"{best[kind, SESSIONS]:,.0f} tokens a second, one at a time "
        f"{best[kind, 1]:,.0f}: {best[kind, SESSIONS] / best[kind, 1]:.1f}x"
        for kind in ("whole", "streamed")
    }


class Single:
    """Requests one after the other, on a connection of its own, with no more than a socket: what is measured is the
    server.

    Args:
        address: of the server.
        path: of the requests.
        asked: their body.
    """

    def __init__(self, address, path, asked):
        host, port = address.partition("://")[2].split(":")
        self._connection = socket.create_connection((host, int(port)))
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = json.dumps(asked).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        self._request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def times(self, count):
        """Seconds of each of so many requests."""
        found = []
        for _ in range(count):
            began = time.perf_counter()
            self._ask()
            found.append(time.perf_counter() - began)
        return found

    def _ask(self):
        self._connection.sendall(self._request)
        come = b""
        while b"\r\n\r\n" not in come:
            come += self._part()
        head, _, body = come.partition(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0], head
        size = int(re.search(rb"content-length: (\d+)", head.lower())[1])
        while len(body) < size:
            body += self._part()

    def _part(self):
        part = self._connection.recv(65_536)
        assert part, "the server closed the connection"
        return part


@contextmanager
def writing(address, sessions, kind):
    """Sessions that write meanwhile, in a process of their own; kind: whole, stream."""
    command = [sys.executable, Path(__file__).with_name("serving_writers.py"), address.rpartition(":")[2], kind]
    process = subprocess.Popen([*command, *sessions], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "writing\n"
        time.sleep(0.3)
        yield
    finally:
        process.terminate()
        process.wait(60)


async def step_histogram(http):
    """Steps so far by the upper end of their bucket."""
    page = (await http.get("/metrics")).text
    return {float(le): float(n) for le, n in re.findall(r'step_seconds_bucket\{le="([^"]+)"\} (\S+)', page)}


def quantile(before, after, share):
    """Of the steps between two histograms, interpolated."""
    counts = {le: after[le] - before[le] for le in after}
    wanted, below, low = share * counts[float("inf")], 0.0, 0.0
    for le, count in sorted(counts.items()):
        if count >= wanted:
            return low + (le - low) * (wanted - below) / max(count - below, 1e-9)
        below, low = count, le
    return float("inf")


async def steps(address):
    """A request for one token alone, and beside 63 sessions that write: in turns, as others may be at work on the
    machine."""
    alone = []
    beside, model = {"whole": [], "stream": []}, []
    async with client(address) as http:
        path = await session(http)
        single = Single(address, f"{path}/generate", {"length": 1, "seed": 1})
        single.times(50)
        first = await step_histogram(http)
        await write(http, path, 2000)
        second = await step_histogram(http)
        for _ in range(TURNS):
            alone.append(single.times(150))
            for kind, found in beside.items():
                others = [(await session(http)).rpartition("/")[2] for _ in range(SESSIONS - 1)]
                before = await step_histogram(http)
                with writing(address, others, kind):
                    found.append(single.times(200))
                if kind == "whole":
                    model.append(quantile(before, await step_histogram(http), 0.99))
                await asyncio.sleep(0.2)  # until they have ended
    medians, own = [statistics.median(turn) for turn in alone], quantile(first, second, 0.5)
    said = {
        "a request for one token, alone": f"median {1e3 * statistics.median(medians):.2f} ms, p99 "
        f"{1e3 * statistics.median(map(p99_of, alone)):.2f} (of {TURNS} turns the median one)"
    }
    for kind, name in (("whole", "write"), ("stream", "stream")):
        p99 = [p99_of(turn) for turn in beside[kind]]
        times = sorted(tail / median for tail, median in zip(p99, medians, strict=True))
        said[f"the same beside 63 that {name}"] = (
            f"median {1e3 * statistics.median(map(statistics.median, beside[kind])):.2f} ms, p99 "
            f"{1e3 * statistics.median(p99):.2f}, of the least disturbed turn {1e3 * min(p99):.2f}; p99 by the same "
            f"turn's median alone: {statistics.median(times):.1f}x ({times[0]:.1f} to {times[-1]:.1f})"
        )
    said["a step of the model, by the server's histogram"] = (
        f"p99 {1e3 * min(model):.2f} ms beside 63 that write, alone median {1e3 * own:.2f} ms"
    )
    return said


def p99_of(times):
    """What one of a hundred is above."""
    return sorted(times)[int(0.99 * len(times))]


async def idle(address, process):
    """Memory of 10,000 sessions, above their states."""
    async with client(address) as http:
        path = await session(http)
        warm = [await session(http) for _ in range(SESSIONS)]
        await asyncio.gather(*(write(http, each, 50) for each in warm))
        state = sum(len(part) for part in [(await http.get(f"{path}/state")).content]) - 300  # its header aside
        before, begin = memory(process), time.perf_counter()
        for start in range(0, IDLE, 50):
            await asyncio.gather(*(session(http, f"{PROMPT}{n} ") for n in range(start, start + 50)))
        seconds, after = time.perf_counter() - begin, memory(process)
    states = 2 * 512 * 4 * IDLE
    assert abs(state - states / IDLE) < 300
    return {
        f"{IDLE:,} idle sessions": f"{(after - before) / 1e6:.1f} MB, their states {states / 1e6:.1f} MB: "
        f"{100 * ((after - before) / states - 1):.1f} % above ({IDLE / seconds:,.0f} made a second)"
    }


async def first(address):
    """From a request to the first piece of a stream."""
    found = []
    async with client(address) as http:
        for _ in range(200):
            began = time.perf_counter()
            async with http.stream(
                "POST", f"{TEXT}/generate", json={"prompt": PROMPT, "length": 20, "stream": True}
            ) as r:
                async for _ in r.aiter_lines():
                    found.append(time.perf_counter() - began)
                    break
            await asyncio.sleep(0.02)
    return {
        "first piece of a stream, idle server": f"median {1e3 * statistics.median(found):.1f} ms, p99 "
        f"{1e3 * sorted(found)[int(0.99 * len(found))]:.1f} ms"
    }


class Soak:
    """Requests of all kinds, one after the other, each with what is expected of it; what is not so is lost."""

    def __init__(self, http, address, expected, draw):
        self.http, self.address, self.expected, self.draw = http, address, expected, draw
        self.done, self.lost, self.saved = Counter(), [], None

    async def one(self):
        """Of a kind that is drawn."""
        kind = self.draw.choice(KINDS)
        try:
            async with asyncio.timeout(120):
                await getattr(self, kind)()
            self.done[kind] += 1
        except Exception as error:
            self.lost.append(f"{kind}: {type(error).__name__}: {error}")

    async def text(self):
        """A text at once."""
        seed = self.draw.choice([*self.expected])
        found = await self.http.post(f"{TEXT}/generate", json={"prompt": PROMPT, "length": 120, "seed": seed})
        assert found.json()["text"] == self.expected[seed]

    async def stream(self):
        """A text as it is written."""
        seed = self.draw.choice([*self.expected])
        asked = {"prompt": PROMPT, "length": 120, "seed": seed, "stream": True}
        async with self.http.stream("POST", f"{TEXT}/generate", json=asked) as response:
            found = [json.loads(line[6:]) async for line in response.aiter_lines() if line]
        assert "".join(piece.get("text", "") for piece in found) == self.expected[seed]
        assert found[-1] == {"done": True}

    async def session(self):
        """A session made, saved, forked, gone on with, restored, deleted."""
        seed = self.draw.choice([*self.expected])
        path = await session(self.http)
        state = (await self.http.get(f"{path}/state")).content
        forked = (await self.http.post(f"{path}/fork")).json()["id"]
        for each in (path, f"{TEXT}/sessions/{forked}"):
            found = await self.http.post(f"{each}/generate", json={"length": 120, "seed": seed})
            assert found.json()["text"] == self.expected[seed]
        assert (await self.http.put(f"{path}/state", content=state)).status_code == 204
        for each in (path, f"{TEXT}/sessions/{forked}"):
            assert (await self.http.delete(each)).status_code == 204

    async def answer(self):
        """Two answers."""
        asked = {"inputs": [[[t % 3] for t in range(8)], [[2 * t % 3] for t in range(8)]]}
        found = await self.http.post("/v1/runs/waves/answer", json=asked)
        assert [one["label"] in "ab" for one in found.json()["outputs"]] == [True, True]

    async def socket(self):
        """A text by WebSocket."""
        seed = self.draw.choice([*self.expected])
        async with websockets.connect(f"{self.address.replace('http', 'ws')}{TEXT}/stream") as socket:
            await socket.send(json.dumps({"prompt": PROMPT, "length": 120, "seed": seed}))
            text = ""
            while "text" in (piece := json.loads(await socket.recv())):
                text += piece["text"]
        assert text == self.expected[seed]
        assert piece == {"done": True}

    async def numbers(self):
        """Steps of numbers by WebSocket."""
        async with websockets.connect(f"{self.address.replace('http', 'ws')}/v1/runs/waves/stream") as socket:
            for t in range(5):
                await socket.send(json.dumps({"step": [t % 3]}))
                assert json.loads(await socket.recv())["output"]["label"] in "ab"

    async def gone(self):
        """Goes away in the midst of a stream."""
        asked = {"prompt": PROMPT, "length": 50_000, "stream": True}
        async with self.http.stream("POST", f"{TEXT}/generate", json=asked) as response:
            async for _ in response.aiter_lines():
                break

    async def bad(self):
        """What is refused."""
        path, more, status = self.draw.choice(
            (
                ("/v1/runs/none/generate", {"json": {}}, 404),
                ("/v1/runs/..%2f..%2fetc/generate", {"json": {}}, 404),
                (f"{TEXT}/generate", {"json": {"length": -1}}, 422),
                (f"{TEXT}/generate", {"json": {"prompt": "\u4e00"}}, 422),
                (f"{TEXT}/generate", {"content": b"{", "headers": {"content-type": "application/json"}}, 400),
                (f"{TEXT}/answer", {"json": {"inputs": ["a"]}}, 409),
                (f"{TEXT}/sessions/none/fork", {}, 404),
                (f"{TEXT}/sessions", {"content": os.urandom(500), "headers": OCTETS}, 422),
                ("/v1/runs/waves/answer", {"json": {"inputs": ["a text"]}}, 422),
                ("/v1/runs/waves/answer", {"content": b"x" * 17_000_000}, 413),
            )
        )  # fmt: skip
        found = await self.http.post(path, **more)
        assert found.status_code == status, f"{path}: {found.status_code} {found.text[:200]}"


async def soak(address, process, folder, minutes):
    """Twenty requests a second, come what may."""
    run = ostinato.load(folder / "char")
    expected = {seed: "".join(run.generate(PROMPT, 120, seed=seed)) for seed in range(20)}
    async with client(address) as http:
        asking, tasks, began = Soak(http, address, expected, random.Random(1)), set(), time.monotonic()
        sizes = []
        for number in range(int(minutes * 60 * RATE)):
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            tasks.add(task := asyncio.create_task(asking.one()))
            task.add_done_callback(tasks.discard)
            if number % (5 * RATE) == 0:
                sizes.append(memory(process))
            if number % (60 * RATE) == 0:
                done, size = sum(asking.done.values()), f"{sizes[-1] / 1e6:.1f} MB"
                said = f"{done:,} answers, {len(asking.lost)} lost, {len(tasks)} under way, {size}"
                print(f"minute {number // (60 * RATE)}: {said}", file=sys.stderr, flush=True)
        await asyncio.gather(*tasks)
        sizes.append(memory(process))
    warm = max(sizes[: max(1, len(sizes) // 6)])
    told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(asking.done.items()))
    for line in asking.lost[:20]:
        print(line, file=sys.stderr)
    return {
        f"{minutes:g} minutes at {RATE} requests a second": f"{sum(asking.done.values()):,} as expected ({told}); lost "
        f"{len(asking.lost)}; memory {warm / 1e6:.0f} MB after the first sixth, {sizes[-1] / 1e6:.0f} MB at the end: "
        f"{100 * (sizes[-1] / warm - 1):+.1f} %"
    }


def main():
    """Measure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path)
    asked.add_argument("--folder", type=Path, help="where the runs are, or are to be; by default a new one")
    asked.add_argument("--soak", type=float, default=0.0, metavar="MINUTES")
    asked.add_argument("--only", default="speed,steps,idle,first")
    asked = asked.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    if not (folder / "waves" / "config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        trained(folder)
    parts = {
        "speed": lambda address, process: speed(address),
        "steps": lambda address, process: steps(address),
        "idle": idle,
        "first": lambda address, process: first(address),
    }
    found = {}
    for name in filter(None, asked.only.split(",")):
        with served(folder) as (address, process):
            found |= asyncio.run(parts[name](address, process))
    if asked.soak:
        with served(folder) as (address, process):
            found |= asyncio.run(soak(address, process, folder, asked.soak))
    for name, said in found.items():
        print(f"{name}: {said}")
    if asked.out:
        about = describe()
        machine = f"{about['cpu']}, {about['cores']} cores, {about['isa']}, torch {about['versions']['torch']}"
        rows = "".join(f"| {name} | {said} |\n" for name, said in found.items())
        asked.out.write_text(f"# The server under load\n\n{ABOUT}\n\n{machine}\n\n| | |\n|---|---|\n{rows}")


ABOUT = (
    "Preset `char` (an LSTM of 512 units, 102 characters), server and clients on one machine, by "
    "`scripts/serving_load.py`. Speed is the best of four turns each; a text is the same, to the last character, as "
    "the one that is written alone."
)

if __name__ == "__main__":
    main()
