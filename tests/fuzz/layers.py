"""Layers over odd tensors, beside the same layer in float64: torch's where torch has it, else the plain loop.

With resets every document is a call of its own there.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

import ostinato

TORCH = ["LSTM", "GRU", "RNN", "RNN relu"]
OWN = ["jordan", "lstm_peephole", "lstm_layer_norm", "gru_reset_before", "lru", "qrnn", "mgu"]
VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": lambda x: x.clone(),
    "apart": lambda x: torch.stack([x, -x], -1)[..., 0],
    "every other": lambda x: torch.stack([x, x + 1], 1).flatten(0, 1)[::2] if x.dim() else x,
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "part": lambda x: torch.cat([x + 1, x, x - 1], -1)[..., x.shape[-1] : 2 * x.shape[-1]],
    "negative": lambda x: torch._neg_view(-x),
    "conjugate": lambda x: torch.complex(x, -x).conj().imag if x.dtype in (torch.float32, torch.float64) else x.clone(),
    "expanded": lambda x: x[:1].expand(x.shape) if len(x) else x,
}
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def draw(random: random.Random) -> dict[str, Any]:
    """What to compare, in plain values."""
    kind = random.choice([*TORCH, *TORCH, *OWN])
    sizes = [1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 48, 70]
    T, N = random.choice([0, 1, 1, 2, 3, 5, 9, 26]), random.choice([0, 1, 1, 2, 3, 5, 7, 17])
    ragged, resets = random.random() < 0.4, random.choice([0, 0, 0.2, 0.8])
    return {
        "kind": kind,
        "D": random.choice(sizes),
        "H": max(8 * (kind == "lstm_layer_norm"), random.choice(sizes)),
        "num_layers": random.choice([1, 1, 2, 3]),
        "bidirectional": random.random() < 0.3,
        "bias": random.random() < 0.8,
        "batch_first": random.random() < 0.3,
        "projected": kind == "LSTM" and random.random() < 0.3,
        "dtype": random.choice(["float32"] * 6 + ["float64", "bfloat16"]),
        "T": T,
        "N": N,
        "lengths": [random.randint(0, T) for _ in range(N)] if ragged else None,
        "packed": ragged and not resets and kind in TORCH and T > 0 and N > 0 and random.random() < 0.4,
        "resets": [[random.random() < resets for _ in range(N)] for _ in range(T)] if resets else None,
        "reset_to": random.choice(["zeros", "zeros", "initial"]),
        "recompute": random.choice([None, None, None, 1, 2, 5]),
        "views": [random.choice(list(VIEWS)) for _ in range(3)],
        "state": random.random() < 0.5,
        "scale": random.choice([1e-30, 1e-6, 1e-3, 1, 1, 1, 1, 20]),
        "nan": random.random() < 0.05,
        "mode": random.choice(["grad", "grad", "grad", "no_grad", "inference"]),
        "threads": random.choice([1, 2, 3]),
        "seed": random.randrange(2**31),
    }


def difference(spec: dict[str, Any]) -> str:
    """Where the layer's numbers are not the same; empty where they are."""
    torch.manual_seed(spec["seed"])
    torch.set_num_threads(spec["threads"])
    layer = _layer(spec)
    dtype = DTYPES[spec["dtype"]]
    shape = (spec["N"], spec["T"], spec["D"]) if spec["batch_first"] else (spec["T"], spec["N"], spec["D"])
    x = (torch.randn(shape) * spec["scale"]).to(dtype)
    if spec["nan"] and x.numel():
        x.view(-1)[spec["seed"] % x.numel()] = float("nan")
    state = [torch.randn(field.shape).to(dtype) for field in _initial(layer, spec)] if spec["state"] else None
    viewed = [VIEWS[spec["views"][0]](x), *(VIEWS[spec["views"][1]](field) for field in state or ())]
    exact = copy.deepcopy(layer).double()
    found = _run(layer.to(dtype), viewed, spec, spec["mode"])
    with torch.no_grad():
        rounded = copy.deepcopy(layer).double()  # weights as they were after rounding to the dtype
        exact.load_state_dict(rounded.state_dict())
    expected = _run(
        _alike(exact, spec), [tensor.detach().double().clone() for tensor in viewed], spec, spec["mode"], plain=True
    )
    return _compare(found, expected, spec)


def _layer(spec: dict[str, Any]) -> nn.Module:
    options = {name: spec[name] for name in ("num_layers", "bidirectional", "bias", "batch_first")}
    D, H, kind = spec["D"], spec["H"], spec["kind"]
    options["recompute"] = spec.get("recompute")
    if kind in OWN:
        return ostinato.Recurrent(kind, D, H, **options)
    if spec["projected"] and H > 1:
        options["proj_size"] = (2 * H + 2) // 3 if H > 2 else 1
    if kind == "RNN relu":
        options["nonlinearity"] = "relu"
    return getattr(ostinato, kind.split()[0])(D, H, **options)


def _alike(layer: Any, spec: dict[str, Any]) -> nn.Module:
    """Torch's own with the same weights, where it has the cell and lengths are not asked of it."""
    if spec["kind"] in OWN or not spec["T"]:  # torch refuses sequences of no steps
        return layer
    names = ("num_layers", "bidirectional", "bias", "batch_first")
    options = {name: spec[name] for name in names} | ({"nonlinearity": "relu"} if spec["kind"] == "RNN relu" else {})
    if getattr(layer, "proj_size", 0):
        options["proj_size"] = layer.proj_size
    twin = getattr(nn, spec["kind"].split()[0])(spec["D"], spec["H"], **options).double()
    twin.load_state_dict(layer.state_dict())
    return twin


def _initial(layer: Any, spec: dict[str, Any]) -> list[Tensor]:
    fields = layer.initial_state(spec["N"])
    return [fields] if isinstance(fields, Tensor) else list(fields)


def _run(
    layer: Any, tensors: list[Tensor], spec: dict[str, Any], mode: str, *, plain: bool = False
) -> dict[str, Tensor]:
    leaves = [tensor.detach().requires_grad_(mode == "grad") for tensor in tensors]
    with torch.inference_mode(mode == "inference"), torch.set_grad_enabled(mode == "grad"):
        output, final = _forward(layer, leaves, spec, plain)
    found = {"output": output, **{f"final {n}": field for n, field in enumerate(final)}}
    if mode != "grad":
        return found
    generator = torch.Generator().manual_seed(spec["seed"])
    drawn = [torch.randn(out.shape, generator=generator).to(DTYPES[spec["dtype"]]) for out in found.values()]
    view = VIEWS[spec["views"][2]] if not plain or spec["views"][2] == "expanded" else VIEWS["plain"]
    pairs = [(out, view(up.to(out.dtype))) for out, up in zip(found.values(), drawn, strict=True) if out.requires_grad]
    outs, upstream = [out for out, _ in pairs], [up for _, up in pairs]
    named = dict(layer.named_parameters())
    grads = torch.autograd.grad(outs, [*leaves, *named.values()], upstream, allow_unused=True) if outs else ()
    for name, leaf, grad in zip([*range(len(leaves)), *named], [*leaves, *named.values()], grads, strict=False):
        found[f"gradient by {name}"] = torch.zeros_like(leaf) if grad is None else grad
    return {name: tensor.detach() for name, tensor in found.items()}


def _forward(layer: Any, leaves: list[Tensor], spec: dict[str, Any], plain: bool) -> tuple[Tensor, list[Tensor]]:
    x, *state = leaves
    given = None if not state else state[0] if len(state) == 1 else tuple(state)
    own = not isinstance(layer, nn.RNNBase) or type(layer).__module__.startswith("ostinato")
    lengths = spec["lengths"]
    if spec.get("resets"):
        if plain:
            return _each_alone(layer, x, state, spec)
        before = torch.tensor(spec["resets"], dtype=torch.bool).view(spec["T"], spec["N"])
        options = {} if lengths is None else {"lengths": torch.tensor(lengths, dtype=torch.int64)}
        to = spec["reset_to"] if state else "zeros"
        output, final = layer(x, given, resets=before.t() if spec["batch_first"] else before, reset_to=to, **options)
    elif lengths is None:
        output, final = layer(x, given)
    elif spec["packed"] and not plain and all(lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), spec["batch_first"], enforce_sorted=False)
        output, final = layer(packed, given)
        output, _ = nn.utils.rnn.pad_packed_sequence(output, spec["batch_first"], total_length=spec["T"])
    elif own:
        output, final = layer(x, given, lengths=torch.tensor(lengths, dtype=torch.int64))
    else:
        return _each_alone(layer, x, state, spec)
    return output, [final] if isinstance(final, Tensor) else list(final)


def _each_alone(layer: Any, x: Tensor, state: list[Tensor], spec: dict[str, Any]) -> tuple[Tensor, list[Tensor]]:
    """By a layer that knows neither lengths nor resets: one document after the other, without the padding."""
    batch = 0 if spec["batch_first"] else 1
    zeros = [torch.zeros_like(field) for field in state] or _start(layer, x, spec)
    state, outputs, finals = state or zeros, [], []
    width = zeros[0].shape[-1]
    directions = 2 if spec["bidirectional"] else 1
    for n in range(spec["N"]):
        length = spec["T"] if spec["lengths"] is None else spec["lengths"][n]
        sequence, parts = x.narrow(batch, n, 1), []
        first, empty = ([field[:, n : n + 1] for field in fields] for fields in (state, zeros))
        anew = first if spec.get("reset_to") == "initial" else empty
        final = first
        edges = _borders(spec, n, length)
        for begin, end in pairwise(edges):
            resets = spec.get("resets") or [[False] * spec["N"]] * spec["T"]
            forward = first if begin == 0 and not resets[0][n] else anew
            before = _by_direction(forward, first if end == length else anew, directions)
            out, after = layer(
                sequence.narrow(1 - batch, begin, end - begin), before[0] if len(before) == 1 else tuple(before)
            )
            parts.append(out)
            after = [after] if isinstance(after, Tensor) else list(after)
            final = _by_direction(after, after if begin == 0 else final, directions)
        width = parts[0].shape[-1] // directions if parts else width
        finals.append(final)
        padding = spec["T"] - length
        shape = [1, padding, width * directions] if spec["batch_first"] else [padding, 1, width * directions]
        outputs.append(torch.cat([*parts, x.new_zeros(shape)], 1 - batch))
    if not outputs:
        shape = [0, spec["T"], width * directions] if spec["batch_first"] else [spec["T"], 0, width * directions]
        return x.new_zeros(shape), state
    return torch.cat(outputs, batch), [torch.cat(fields, 1) for fields in zip(*finals, strict=True)]


def _borders(spec: dict[str, Any], n: int, length: int) -> list[int]:
    """Where the documents of a sequence begin, and where the last one ends."""
    if not length:
        return []
    resets = spec.get("resets") or []
    return [0, *(t for t in range(1, min(length, len(resets))) if resets[t][n]), length]


def _by_direction(forward: list[Tensor], backward: list[Tensor], directions: int) -> list[Tensor]:
    """Fields of all layers, those of the second direction from others."""
    if directions == 1:
        return forward
    pairs = zip(forward, backward, strict=True)
    return [torch.stack([one[0::2], other[1::2]], 1).flatten(0, 1) for one, other in pairs]


def _start(layer: Any, x: Tensor, spec: dict[str, Any]) -> list[Tensor]:
    """The state that a layer has without one."""
    if hasattr(layer, "initial_state"):
        return [field.to(x) for field in _initial(layer, spec)]
    sizes = [getattr(layer, "proj_size", 0) or spec["H"], *([spec["H"]] if spec["kind"] == "LSTM" else [])]
    directions = 2 if spec["bidirectional"] else 1
    return [x.new_zeros(spec["num_layers"] * directions, spec["N"], size) for size in sizes]


def _compare(found: dict[str, Tensor], expected: dict[str, Tensor], spec: dict[str, Any]) -> str:
    tolerance = {"float32": 1e-4, "float64": 1e-9, "bfloat16": 0.15}[spec["dtype"]]
    tolerance *= max(1, spec["scale"]) * (100 if spec["kind"] == "lstm_layer_norm" else 1)
    for name, exact in expected.items():
        tensor = found.get(name)
        if tensor is None or tensor.shape != exact.shape:
            return f"wrong shape: {name} is {None if tensor is None else tuple(tensor.shape)}, not {tuple(exact.shape)}"
        if not exact.numel():
            continue
        missing = exact.isnan()
        if spec["nan"] and name.startswith("gradient"):
            continue
        if not torch.equal(tensor.isnan(), missing):
            return f"wrong: {name} is not a number in other places"
        size = float(exact.nan_to_num().abs().max())
        error = float((tensor.double() - exact).nan_to_num().abs().max())
        if error > tolerance * (1 + size):
            return f"wrong: {name} is off by {error:.3g}, numbers up to {size:.3g}"
    return ""
