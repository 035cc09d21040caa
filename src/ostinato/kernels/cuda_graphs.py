"""All that recording and replaying asks of torch.cuda. Whoever records goes by `Recorder`, so that the rest of it can
be tested where there is no GPU."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

Results = tuple[Tensor | None, ...]


class Recorded(NamedTuple):
    """A function on the GPU, recorded.

    Attributes:
        replay: run it again, on the memory that it was recorded with.
        results: where its results are after each replay.
    """

    replay: Callable[[], None]
    results: Results


class Recorder(Protocol):
    """Records functions, and says what that depends on."""

    def is_recording(self) -> bool:
        """Whether somebody is recording what is called now."""

    def queue(self, device: torch.device) -> Hashable:
        """What a device runs one after the other: work that is called now is put there."""

    def record(self, device: torch.device, functions: Sequence[Callable[[], Results]]) -> list[Recorded]:
        """Record functions that are always replayed in this order.

        Raises:
            RuntimeError: one of them cannot be recorded: it waits for the device, say, or draws random
                numbers, or memory is short.
        """

    def held(self, device: torch.device) -> int:
        """Bytes of the device that are taken."""

    def total(self, device: torch.device) -> int:
        """Bytes of the device."""


class CudaGraphs:
    """By CUDA graphs, as `torch.cuda.make_graphed_callables` does."""

    def is_recording(self) -> bool:
        """Whether the current stream is being captured."""
        there: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        return there and torch.cuda.is_current_stream_capturing()

    def queue(self, device: torch.device) -> Hashable:
        """The current stream."""
        return torch.cuda.current_stream(device).cuda_stream

    def record(self, device: torch.device, functions: Sequence[Callable[[], Results]]) -> list[Recorded]:
        """Run all once, so that what is made at a first use is there; then capture each.

        They share a pool of memory that is theirs alone: what one frees the next one uses, as when they were captured.
        """
        found = []
        with torch.cuda.device(device):
            now = torch.cuda.current_stream()
            beside = _beside(device, now.cuda_stream)
            beside.wait_stream(now)
            with torch.cuda.stream(beside):
                with _nothing_waits(), _nothing_is_drawn(device):
                    for function in functions:
                        function()
                pool = torch.cuda.graph_pool_handle()
                for function in functions:
                    graph = torch.cuda.CUDAGraph()
                    # other threads, as those that pin batches, may do what a capture must not
                    with torch.cuda.graph(graph, pool, beside, capture_error_mode="thread_local"):
                        results = function()
                    found.append(Recorded(graph.replay, results))
            now.wait_stream(beside)
        return found

    def held(self, device: torch.device) -> int:
        """What torch has taken, less what it could give back."""
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved(device)

    def total(self, device: torch.device) -> int:
        """The device's memory."""
        return torch.cuda.get_device_properties(device).total_memory


@cache
def _beside(device: torch.device, queue: Hashable) -> torch.cuda.Stream:
    """The stream on which what is replayed on another is captured, always the same: kernels recorded there share
    cuBLAS' workspace, so that no two of them may run at once."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


@contextmanager
def _nothing_waits() -> Iterator[None]:
    """Within it, what would wait for the GPU is an error: a capture that it broke off would leave torch's allocator and
    random numbers in a state from which there is no way back."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@contextmanager
def _nothing_is_drawn(device: torch.device) -> Iterator[None]:
    """Within it, random numbers are an error: what has drawn some cannot be computed again for a second backward."""
    before = torch.cuda.get_rng_state(device)
    yield
    if not torch.equal(before, torch.cuda.get_rng_state(device)):
        torch.cuda.set_rng_state(before, device)
        raise RuntimeError("it draws random numbers")
