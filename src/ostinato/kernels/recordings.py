"""Loops over time, recorded: their memory, which call may use it, and how many are kept."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from threading import Lock
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.resets import Resets
from ostinato.cells.unroll import unroll
from ostinato.core.legend import Parameters
from ostinato.core.torch_private import copy_all_
from ostinato.kernels.cuda_graphs import Recorder, Results

Optional = Tensor | None

#: Calls of a kind that run the loop before one is recorded: recording takes as long as some of them.
SIGHTINGS = 2
#: Kinds of calls that are remembered, those recorded and those on their way there. Whoever has more in turns, as where
#: every batch is of another length, finds them forgotten before they are recorded.
KINDS = 32
#: Recordings of one kind: as many calls can wait for their gradients.
WAITING = 8
#: Calls after which a kind that had no memory is tried again, and after which one that was not used makes room.
PATIENCE = 1000
#: The share of a GPU's memory that all recordings may take.
SHARE = 0.25

#: Groups of a call's tensors, as `parted` orders them, that have a row for each step.
_BY_STEP = {0, 5, 6}


class Plan(NamedTuple):
    """All of a call but its tensors.

    Attributes:
        cell: what runs.
        names: of its parameters.
        sizes: how many tensors there are of each group: x, state, parameters, lengths, recurrent mask, shares of
            zoneout, resets, and the state that these bring.
        reverse: as `unroll`.
        keep_states: as `unroll`.
    """

    cell: Cell
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    reverse: bool
    keep_states: bool

    def unroll(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The loop; output, final state, and the states of every step where they are kept."""
        rest = iter(tensors)
        (x,), state, weights, lengths, mask, zoneout, before, anew = (list(islice(rest, n)) for n in self.sizes)
        State = self.cell.State
        ran = unroll(
            self.cell,
            dict(zip(self.names, weights, strict=True)),
            x,
            State(*state),
            lengths=lengths[0] if lengths else None,
            reverse=self.reverse,
            noise=StateNoise(mask[0] if mask else None, zoneout or None),
            keep_states=self.keep_states,
            resets=Resets(before[0], State(*anew)) if before else None,
        )
        return (ran.output, *ran.final, *(ran.states or ()))

    def inputs_by_step(self) -> list[bool]:
        """Which tensors have a row for each step."""
        return [group in _BY_STEP for group, size in enumerate(self.sizes) for _ in range(size)]

    def outputs_by_step(self) -> list[bool]:
        """Which results have one."""
        fields = self.sizes[1]
        return [True, *[False] * fields, *[True] * (fields if self.keep_states else 0)]


def parted(
    cell: Cell,
    p: Parameters,
    x: Tensor,
    state: Any,
    *,
    lengths: Optional = None,
    reverse: bool = False,
    noise: StateNoise | None = None,
    keep_states: bool = False,
    resets: Resets | None = None,
) -> tuple[Plan, list[Tensor]]:
    """A call of `unroll` as its plan and its tensors, those that are None left out."""
    mask, zoneout = (noise.recurrent_mask, noise.zoneout) if noise else (None, None)
    groups = (
        (x,),
        tuple(state),
        tuple(p.values()),
        () if lengths is None else (lengths.to(x.device),),
        () if mask is None else (mask,),
        tuple(zoneout or ()),
        () if resets is None else (resets.before,),
        () if resets is None else tuple(resets.state),
    )
    plan = Plan(cell, tuple(p), tuple(map(len, groups)), reverse, keep_states)
    return plan, [tensor for group in groups for tensor in group]


class Recording:
    """A loop, and the way back through it, with the memory that they read and write.

    Everything is copied there, the weights too: these may change before the gradients are asked for, and calls of many
    layers use one recording in turns. Between a forward and its backward the memory also has what the gradients need.
    """

    def __init__(
        self, recorder: Recorder, plan: Plan, steps: int, tensors: Sequence[Tensor], needs: Sequence[bool]
    ) -> None:
        """Record.

        Args:
            recorder: how.
            plan: what.
            steps: rows of that which has one for each step; lengths see to those beyond T.
            tensors: a call's.
            needs: by which of them gradients are wanted.

        Raises:
            RuntimeError: it cannot be recorded.
        """
        self.device = tensors[0].device
        self._plan, self._needs = plan, needs
        self._by_step, self._results_by_step = plan.inputs_by_step(), plan.outputs_by_step()
        self._holder: Callable[[], Held | None] = lambda: None
        self._ran: tuple[Tensor, ...] = ()
        self._upstream: list[Tensor] = []
        before = recorder.held(self.device)
        with torch.inference_mode(False), torch.set_grad_enabled(any(needs)):
            shapes = [(steps, *t.shape[1:]) if b else t.shape for t, b in zip(tensors, self._by_step, strict=True)]
            self._inputs = [
                torch.zeros(shape, dtype=tensor.dtype, device=self.device, requires_grad=need)
                for shape, tensor, need in zip(shapes, tensors, needs, strict=True)
            ]
            self._take(tensors)
            functions = [self._forward, self._backward] if any(needs) else [self._forward]
            self._recorded = recorder.record(self.device, functions)
        self.bytes = max(0, recorder.held(self.device) - before)

    def _forward(self) -> Results:
        self._ran = self._plan.unroll(self._inputs)
        self.differentiable = [result.requires_grad for result in self._ran]
        return tuple(result.detach() for result in self._ran)

    def _backward(self) -> Results:
        ran, self._ran = [result for result in self._ran if result.requires_grad], ()
        if not self._upstream:
            self._upstream = [torch.zeros_like(result) for result in ran]
        wanted = [tensor for tensor in self._inputs if tensor.requires_grad]
        return torch.autograd.grad(ran, wanted, self._upstream, allow_unused=True) if ran else (None,) * len(wanted)

    @torch.no_grad()
    def _take(self, tensors: Sequence[Tensor]) -> None:
        pairs = zip(self._inputs, tensors, self._by_step, strict=True)
        copy_all_([own[: len(given)] if by_step else own for own, given, by_step in pairs], list(tensors))

    def hold(self) -> Held | None:
        """The right to use it; None while another call has that."""
        if self._holder() is not None:
            return None
        held = Held(self)
        self._holder = weakref.ref(held)
        return held

    def forward(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The results of a call, in memory of their own."""
        self._take(tensors)
        forward, T = self._recorded[0], len(tensors[0])
        forward.replay()
        pairs = zip(cast("tuple[Tensor, ...]", forward.results), self._results_by_step, strict=True)
        return tuple((result[:T] if by_step else result).clone() for result, by_step in pairs)

    def backward(self, upstream: Sequence[Optional], T: int) -> list[Optional]:
        """Gradients by each tensor of the call whose `forward` ran last, once. A gradient upstream that is None is
        zero."""
        kept = iter(self._upstream)
        rows = zip(upstream, self.differentiable, self._results_by_step, strict=True)
        for given, own, by_step in [(g, next(kept), b) for g, differentiable, b in rows if differentiable]:
            if given is None:
                own.zero_()
            elif by_step:
                own[:T].copy_(given)
                own[T:].zero_()
            else:
                own.copy_(given)
        backward = self._recorded[1]
        backward.replay()
        found = iter(backward.results)
        gradients = [next(found) if need else None for need in self._needs]
        pairs = zip(gradients, self._by_step, strict=True)
        return [g if g is None else (g[:T] if by_step else g).clone() for g, by_step in pairs]


class Held:
    """The right of one call to a recording. It ends with this object: a call lets go of it once its gradients are
    there, and a graph that nobody has any more takes it along."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording


class _Kind:
    """What is known of calls of one kind."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell  # the key of a cell that cannot be hashed is its address, which nobody else may have
        self.seen, self.used = 0, 0
        self.recordings: list[Recording] = []
        self.cannot = False


class Recordings:
    """Those of a process, by kinds of calls."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._kinds: OrderedDict[Hashable, _Kind] = OrderedDict()  # what was used last is the last
        self._alive: weakref.WeakSet[Recording] = weakref.WeakSet()
        self._calls = 0
        self._lock = Lock()

    def __len__(self) -> int:
        """How many there are, with those that are forgotten and wait for their gradients."""
        return len(self._alive)

    def forget(self) -> None:
        """Let go of all, and of those that calls have, once these are through with them."""
        with self._lock:
            self._kinds.clear()

    def hold(self, key: Hashable, cell: Cell, record: Callable[[], Recording]) -> tuple[Held | None, str]:
        """A recording for a call, made where it is time for one; None where the loop has to run, and why where it is
        news.

        Args:
            key: the kind of call.
            cell: whose it is.
            record: makes a recording.
        """
        with self._lock:
            self._calls += 1
            kind = self._kinds.setdefault(key, _Kind(cell))
            self._kinds.move_to_end(key)
            while len(self._kinds) > KINDS:
                self._kinds.popitem(last=False)
            kind.seen, kind.used = kind.seen + 1, self._calls
            for recording in kind.recordings:
                if (held := recording.hold()) is not None:
                    return held, ""
            if kind.seen <= SIGHTINGS or kind.cannot or len(kind.recordings) == WAITING:
                return None, ""
            try:
                recording = record()
            except torch.OutOfMemoryError:
                kind.seen = -PATIENCE
                return None, "too little of the GPU's memory is free"
            except RuntimeError as error:
                kind.cannot = True
                return None, str(error) or type(error).__name__
            self._alive.add(recording)
            if not self._has_room(recording.device):
                kind.seen = -PATIENCE
                return None, f"recordings would take more than {SHARE:.0%} of the GPU's memory"
            kind.recordings.append(recording)
            return recording.hold(), ""

    def _has_room(self, device: torch.device) -> bool:
        """Whether a device's recordings are not too large, once kinds that are not in use any more are forgotten."""
        most = SHARE * self.recorder.total(device)
        while sum(one.bytes for one in self._alive if one.device == device) > most:
            oldest, kind = next(iter(self._kinds.items()))
            if kind.used > self._calls - PATIENCE:
                return False
            del self._kinds[oldest], kind
        return True
