"""What torch.cuda is asked for, and in which order: by one that only notes it, as there may be no GPU."""

from contextlib import contextmanager, nullcontext

import pytest
import torch

from ostinato.kernels import cuda_graphs
from ostinato.kernels.cuda_graphs import CudaGraphs

DEVICE = torch.device("cuda", 0)


class Stream:
    def __init__(self, name, log):
        self.cuda_stream, self.log = name, log

    def wait_stream(self, other):
        self.log.append(f"{self.cuda_stream} waits for {other.cuda_stream}")


class Noted:
    """As much of torch.cuda as is used."""

    def __init__(self):
        self.log, self.on, self.mode, self.drawn, self.capturing = [], None, 1, 0, False
        self.now = Stream("now", self.log)

    def device(self, device):
        assert device == DEVICE
        return nullcontext()

    def current_stream(self, device=None):
        return self.now

    def Stream(self, device):  # noqa: N802  torch's
        return Stream("beside", self.log)

    @contextmanager
    def stream(self, stream):
        self.on = stream.cuda_stream
        yield
        self.on = None

    def CUDAGraph(self):  # noqa: N802
        graph = type("Graph", (), {})()
        graph.replay = lambda: self.log.append("replay")
        return graph

    def graph_pool_handle(self):
        self.log.append("a pool")
        return "the pool"

    @contextmanager
    def graph(self, graph, pool, stream, *, capture_error_mode):
        assert (pool, stream.cuda_stream, capture_error_mode) == ("the pool", self.on, "thread_local")
        self.capturing = True
        yield
        self.capturing = False

    def get_sync_debug_mode(self):
        return self.mode

    def set_sync_debug_mode(self, mode):
        self.mode = mode

    def get_rng_state(self, device):
        return torch.tensor([self.drawn])

    def set_rng_state(self, state, device):
        self.drawn = state.item()


@pytest.fixture
def cuda(monkeypatch):
    cuda_graphs._beside.cache_clear()
    noted = Noted()
    monkeypatch.setattr(torch, "cuda", noted)
    yield noted
    cuda_graphs._beside.cache_clear()


def test_each_runs_once_and_is_captured_then(cuda):
    def function(name):
        def called():
            cuda.log.append(f"{name} captured" if cuda.capturing else f"{name} on {cuda.on}, {cuda.mode}")
            return (torch.ones(1),)

        return called

    forward, backward = CudaGraphs().record(DEVICE, [function("forward"), function("backward")])
    forward.replay()
    backward.replay()
    assert cuda.log == [
        "beside waits for now",
        "forward on beside, error",
        "backward on beside, error",
        "a pool",
        "forward captured",
        "backward captured",
        "now waits for beside",
        "replay",
        "replay",
    ]
    assert (cuda.mode, cuda.on) == (1, None)


def test_what_waits_is_not_captured(cuda):
    def waits():
        assert not cuda.capturing
        raise RuntimeError("called a synchronizing CUDA operation")

    with pytest.raises(RuntimeError, match="synchronizing"):
        CudaGraphs().record(DEVICE, [waits])
    assert cuda.mode == 1


def test_what_draws_is_not_captured_and_has_drawn_nothing(cuda):
    def draws():
        assert not cuda.capturing
        cuda.drawn += 1
        return (None,)

    with pytest.raises(RuntimeError, match="draws random numbers"):
        CudaGraphs().record(DEVICE, [draws])
    assert (cuda.mode, cuda.drawn) == (1, 0)
