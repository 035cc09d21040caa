"""How the studio's server ends."""

import signal
from types import SimpleNamespace

import pytest

pytest.importorskip("uvicorn", reason="needs the extra `serve`")

import uvicorn
from starlette.applications import Starlette

from ostinato.studio.server import _Server
from ostinato.studio.studio import Studio


@pytest.fixture
def told(monkeypatch):
    """What the process would be told."""
    said = []
    recorded = SimpleNamespace(
        SIG_DFL=signal.SIG_DFL,
        signal=lambda sig, how: said.append((sig, how)),
        raise_signal=lambda sig: said.append(sig),
    )
    monkeypatch.setattr("ostinato.studio.server.signal", recorded)
    return said


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_while_torch_is_loaded_it_ends_at_once(told, tmp_path, sig):
    """The thread that loads it would be waited for, half a minute on a busy machine."""
    app = Starlette()
    app.state.studio = Studio(tmp_path, opening=True)
    _Server(uvicorn.Config(app)).handle_exit(sig, None)
    assert told == [(sig, signal.SIG_DFL), sig]


def test_later_it_lets_go_of_who_follows_first(told, tmp_path):
    app = Starlette()
    app.state.studio = Studio(tmp_path)
    server = _Server(uvicorn.Config(app))
    server.handle_exit(signal.SIGINT, None)
    assert told == []
    assert app.state.studio.ending
    assert server.should_exit
