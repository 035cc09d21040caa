"""A node of ONNX, RNN, LSTM or GRU, as a stack: its attributes as options of ours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ostinato.core.errors import DataError
from ostinato.interop.layouts import Array, Layout, layout
from ostinato.interop.parts import Stack

#: ONNX's activations as ours; those with parameters in `_with_parameters`.
_ACTIVATIONS = {"tanh": "tanh", "sigmoid": "sigmoid", "relu": "relu", "softsign": "softsign", "softplus": "softplus"}
#: By name and alpha (and beta), as ONNX defaults them where a node does not say.
_WITH_PARAMETERS = {
    ("hardsigmoid", 0.2, 0.5): "hard_sigmoid_0.2",
    ("hardsigmoid", 1 / 6, 0.5): "hard_sigmoid",
    ("leakyrelu", 0.01, 0.0): "leaky_relu",
    ("elu", 1.0, 0.0): "elu",
    ("affine", 1.0, 0.0): "linear",
}
_DEFAULTS = {"hardsigmoid": (0.2, 0.5), "leakyrelu": (0.01, 0.0), "elu": (1.0, 0.0), "affine": (1.0, 0.0)}
_USUAL = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


class UnlikeError(Exception):
    """No cell here does what a node says; names the attribute."""


def recurrent(where: str, name: str, node: Any, arrays: Sequence[Array | None]) -> Stack:
    """The stack of a node.

    Args:
        where: file and node, as a message begins.
        name: the node's.
        node: itself.
        arrays: W `[S, G*H, D]`, R `[S, G*H, H]`, B `[S, 2*G*H]`, P `[S, 3*H]`; the last two may be None.

    Raises:
        UnlikeError: an attribute that no cell has.
        DataError: arrays that do not fit.
    """
    given = {one.name: _value(one) for one in node.attribute}
    direction = given.get("direction", "forward")
    if direction not in _DIRECTIONS:
        raise DataError(f"{where}: direction {direction!r}: expected one of {', '.join(_DIRECTIONS)}")
    W, R, B, P = arrays
    S = _DIRECTIONS[direction]
    for label, array, dimensions in (("W", W, 3), ("R", R, 3), ("B", B, 2), ("P", P, 2)):
        if array is not None and (array.ndim != dimensions or len(array) != S):
            raise DataError(f"{where}: expected {label} of {dimensions} dimensions, {S} first, got shape {array.shape}")
    if W is None or R is None:
        raise DataError(f"{where}: expected weights W and R")
    if given.get("input_forget"):
        raise UnlikeError("input_forget=1: forget and input gate are one, in another order than lstm_coupled has them")
    one = _layout(node.op_type, given, P)
    options = _options(one, node.op_type, given, S)
    weights: dict[str, Array] = {}
    for way, suffix in enumerate(("_l0", "_l0_reverse")[:S]):
        read = one.read(where, W[way], R[way], None if B is None else B[way])
        if P is not None:
            read |= _peepholes(where, P[way], R.shape[2])
        weights |= {f"{key}{suffix}": array for key, array in read.items()}
    if direction == "reverse":
        options["reverse"] = True
    cell = "rnn_relu" if one.cell == "rnn" and options == {"activation": "relu"} else one.cell
    return Stack(name, one.layer, cell, weights, 1, S, {} if cell == "rnn_relu" else options)


def _layout(kind: str, given: dict[str, Any], P: Array | None) -> Layout:
    if kind == "LSTM" and P is not None and np.any(P):
        return layout("ONNX", "LSTM with peepholes")
    if kind == "GRU" and given.get("linear_before_reset"):
        return layout("ONNX", "GRU, linear_before_reset=1")
    return layout("ONNX", kind)


def _peepholes(where: str, P: Array, H: int) -> dict[str, Array]:
    if P.shape != (3 * H,):
        raise DataError(f"{where}: expected peepholes P of shape ({3 * H},), got {P.shape}")
    return dict(zip(("weight_ci", "weight_co", "weight_cf"), np.split(P, 3), strict=True)) if P.any() else {}


def _options(one: Layout, kind: str, given: dict[str, Any], S: int) -> dict[str, Any]:
    usual = _USUAL[kind]
    names = list(given.get("activations", usual * S))
    alphas, betas = list(given.get("activation_alpha", ())), list(given.get("activation_beta", ()))
    ours = []
    for name in names:
        key = name.lower()
        alpha, beta = _DEFAULTS.get(key, (0.0, 0.0))
        # given in the order of the activations that have them
        if key in _DEFAULTS:
            alpha = alphas.pop(0) if alphas else alpha
            beta = betas.pop(0) if betas and key in ("hardsigmoid", "affine") else beta
        ours.append(_activation(name, alpha, beta))
    each = len(usual)
    if len(ours) != each * S or ours[:each] != ours[each * (S - 1) :]:
        raise UnlikeError(f"mixed activations {', '.join(names)}: both directions of a layer have the same here")
    if kind == "LSTM" and ours[1] != ours[2]:
        raise UnlikeError(f"mixed activations {', '.join(names)}: candidate and memory cell have the same here")
    options: dict[str, Any] = {} if ours[each - 1] == "tanh" else {"activation": ours[each - 1]}
    if kind != "RNN" and ours[0] != "sigmoid":
        options["recurrent_activation"] = ours[0]
    if given.get("clip"):
        options["clip"] = float(given["clip"])
    return options


def _activation(name: str, alpha: float, beta: float) -> str:
    if name.lower() in _ACTIVATIONS:
        return _ACTIVATIONS[name.lower()]
    for (known, a, b), ours in _WITH_PARAMETERS.items():
        if known == name.lower() and np.allclose((alpha, beta), (a, b), atol=1e-6):
            return ours
    raise UnlikeError(f"activation {name} with alpha={alpha:g}, beta={beta:g}: no cell has it")


def _value(attribute: Any) -> Any:
    from onnx import helper

    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, list | tuple) and value and isinstance(value[0], bytes):
        return [one.decode("utf-8", "replace") for one in value]
    return value
