"""Choosing an implementation: the first that takes the request, or the reference loop and the reasons why."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Unpack

import torch
from torch import Tensor

from ostinato.cells.contract import Cell
from ostinato.cells.unroll import How, Unrolled, unroll
from ostinato.core.autocast import autocast_dtype
from ostinato.core.legend import Parameters
from ostinato.core.torch_private import is_transformed
from ostinato.kernels import compiled, graphs, onnx, onnx_scan, torch_fused
from ostinato.kernels import native_cells as native
from ostinato.kernels.request import Request


class Implementation(Protocol):
    """A module that runs some cells over a whole sequence."""

    NAME: str

    def refuses(self, cell: Cell, request: Request) -> str | None:
        """Why it cannot run this, in a few words; None where it can."""

    def run(self, cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
        """As `unroll`."""


IMPLEMENTATIONS: tuple[Implementation, ...] = (native, torch_fused, graphs, compiled, onnx, onnx_scan)


class Choice(NamedTuple):
    """What will run, and why nothing faster will.

    `reason` is empty where a fused implementation was found; `refused` is what those asked before it said.
    """

    name: str
    run: Callable[..., Unrolled]
    reason: str = ""
    refused: str = ""


def find(cell: Cell, request: Request) -> Choice:
    """The implementation for a request. A fallback is the reference, `unroll`, which takes everything."""
    reasons: list[str] = []
    for implementation in IMPLEMENTATIONS:
        reason = implementation.refuses(cell, request)
        if reason is None:
            return Choice(implementation.NAME, implementation.run, refused="; ".join(reasons))
        reasons.append(f"{implementation.NAME}: {reason}")
    why = "; ".join(reasons)
    return Choice("reference", unroll, why, why)


def run(cell: Cell, p: Parameters, x: Tensor, state: Any, **how: Unpack[How]) -> Unrolled:
    """A cell over a sequence by the best implementation there is; arguments and results as `cells.unroll.unroll`.

    Under autocast everything but float64 is taken and returned in autocast's dtype, whichever implementation runs.
    """
    noise, keep_states, resets = how.get("noise"), how.get("keep_states", False), how.get("resets")
    if x.dtype != torch.float64 and (dtype := autocast_dtype(x.device.type)) is not None:
        with torch.autocast(x.device.type, enabled=False):
            p = {name: tensor.to(dtype) for name, tensor in p.items()}
            state = cell.State(*(field.to(dtype) for field in state))
            how["noise"] = noise and noise.to(dtype)
            how["resets"] = resets and resets.to(dtype)
            return run(cell, p, x.to(dtype), state, **how)
    transformed = is_transformed()
    learned = noise.requires_grad if noise else False
    device = x.device.type
    ragged, exported = how.get("lengths") is not None, onnx.is_exported()
    request = Request(
        x.dtype,
        device,
        x.shape[0],
        lengths=ragged,
        noise=bool(noise),
        keep_states=keep_states,
        transformed=transformed,
        learned_noise=learned,
        onnx=exported,
        resets=resets is not None,
    )
    choice = find(cell, request)
    if exported and choice.reason:
        warnings.warn(
            f"written step by step, for sequences of {x.shape[0]} steps alone: there is no node ({choice.reason})",
            stacklevel=2,
        )
    if choice.run is unroll:
        compiled.tell(cell, choice.reason)
    return choice.run(cell, p, x, state, **how)
