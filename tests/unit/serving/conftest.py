"""Servers of runs that are trained in a second, in this process, in a thread of their own."""

import contextlib
import os
import shutil
import socket
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the extra `serve`")
pytest.importorskip("uvicorn", reason="needs the extra `serve`")

import httpx2 as httpx
import uvicorn

import ostinato
from ostinato.config.serving import ServeLimits, ServeSettings
from ostinato.serving import running
from ostinato.serving.app import create_app

GOLDEN = Path(__file__).parents[2] / "golden" / "trained"


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Run folders: `lm` (characters), `forecast`, `tag`, `classify` (numbers, one way)."""
    folder = tmp_path_factory.mktemp("served")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("lm", "forecast", "tag"):
            shutil.copytree(GOLDEN / name, folder / name)
        (folder / "waves.csv").write_text(_waves())
        ostinato.train(
            "classify", folder / "waves.csv", out=folder / "classify", label="label", id="id", time="t", values="x,y",
            bidirectional=False, pooling="mean", hidden=8, epochs=1, overwrite=True,
        )  # fmt: skip
    return folder


def _waves():
    lines = ["id,t,x,y,label"]
    for row in range(24):
        for t in range(6):
            lines.append(f"{row},{t},{(t * (row % 2 + 1)) % 3},{row % 5 - t},{'up' if row % 2 else 'down'}")
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def served(paths, *, settings=None, buffers=None, **more):
    """A server in a thread; its address and its application.

    Args:
        paths: run folders.
        settings: of the server.
        buffers: bytes that the system keeps of a connection, either way; by default megabytes.
        more: of the application.
    """
    app = create_app(paths, settings, **more)
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if buffers is not None:
        for way in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            opened.setsockopt(socket.SOL_SOCKET, way, buffers)
    opened.bind(("127.0.0.1", 0))
    server = uvicorn.Server(running.configured(app))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    before = sys.getswitchinterval()
    sys.setswitchinterval(running.TURN)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{opened.getsockname()[1]}", app
    finally:
        server.should_exit = True
        thread.join(20)
        opened.close()
        sys.setswitchinterval(before)


@pytest.fixture(scope="session")
def server(runs):
    """One server of all runs, with its usual limits; its address."""
    names = ("lm", "forecast", "tag", "classify")
    with served([runs / name for name in names]) as (address, _):
        yield address


@pytest.fixture
def http(server):
    with httpx.Client(base_url=server, timeout=30) as client:
        yield client


@pytest.fixture
def serve(runs):
    """A server of one run with limits of its own: a client of it, and the application."""
    with contextlib.ExitStack() as stack:

        def start(name="lm", path=None, settings=None, buffers=None, **limits):
            settings = settings or ServeSettings(limits=ServeLimits(**limits))
            paths = [path or runs / name]
            address, app = stack.enter_context(served(paths, settings=settings, buffers=buffers))
            return stack.enter_context(httpx.Client(base_url=address, timeout=30)), app

        yield start


def until_idle(app, seconds=10):
    """Wait until nothing is under way; what is, else."""
    end = time.monotonic() + seconds
    while (left := app.state.serving.under_way) and time.monotonic() < end:
        time.sleep(0.01)
    return left


os.environ.setdefault("NO_PROXY", "127.0.0.1,localhost")
