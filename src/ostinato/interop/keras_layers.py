"""A recurrent layer of Keras: its options and its arrays as ours."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from ostinato.core.errors import DataError
from ostinato.interop.layouts import Array, Layout, layout
from ostinato.interop.parts import Stack

#: A layer's arrays by Keras' names: kernel, recurrent_kernel, bias; of a Bidirectional "forward/kernel" and so on.
Named: TypeAlias = Mapping[str, Array]

_ACTIVATIONS = {"swish": "silu"} | {
    name: name
    for name in ("linear", "tanh", "sigmoid", "relu", "relu6", "elu", "selu", "gelu", "silu", "mish", "softplus",
                 "softsign", "exponential")
}  # fmt: skip
_MERGES = {"concat": "concat", "sum": "sum", "mul": "mul", "ave": "mean"}


def recurrent(where: str, version: str, kind: str, config: Mapping[str, Any], own: Named) -> Stack:
    """The stack of one layer.

    Args:
        where: the file and the layer, as a message begins.
        version: Keras', which some defaults depend on; empty where the file does not say.
        kind: its class.
        config: its configuration.
        own: its arrays.

    Raises:
        DataError: what no cell here has; arrays that are missing or do not fit.
    """
    name = str(config.get("name", kind))
    if kind == "Bidirectional":
        return _both(where, version, name, config, own)
    one = _layout(kind, config, own)
    options = _activations(where, version, one, config)
    cell = one.cell
    if cell == "rnn" and options.get("activation") == "relu":
        cell = "rnn_relu"
        del options["activation"]
    if config.get("go_backwards"):
        options["reverse"] = True
    weights = {f"{key}_l0": array for key, array in _read(where, one, own).items()}
    return Stack(name, one.layer, cell, weights, 1, 1, options, bool(config.get("return_sequences", True)))


def _both(where: str, version: str, name: str, config: Mapping[str, Any], own: Named) -> Stack:
    inner = config.get("layer", {})
    kind, settings = str(inner.get("class_name", "LSTM")), dict(inner.get("config", {}))
    merge = config.get("merge_mode", "concat")
    if merge not in _MERGES:
        raise DataError(f"{where}: merge_mode {merge!r}: expected one of {', '.join(_MERGES)}")
    if settings.get("go_backwards"):
        raise DataError(f"{where}: its forward layer goes backwards; expected one that goes forward")
    forward = {key.removeprefix("forward/"): array for key, array in own.items() if key.startswith("forward/")}
    backward = {key.removeprefix("backward/"): array for key, array in own.items() if key.startswith("backward/")}
    one = _layout(kind, settings, forward)
    options = _activations(where, version, one, settings)
    if merge != "concat":
        options["merge"] = _MERGES[merge]
    weights = {f"{key}_l0": array for key, array in _read(f"{where} forward", one, forward).items()}
    weights |= {f"{key}_l0_reverse": array for key, array in _read(f"{where} backward", one, backward).items()}
    sequences = bool(settings.get("return_sequences", True))
    if not sequences and merge != "concat":
        raise DataError(f"{where}: the last outputs of both directions are merged by {merge!r}; expected 'concat'")
    return Stack(name, f"Bidirectional {one.layer}", one.cell, weights, 1, 2, options, sequences)


def _layout(kind: str, config: Mapping[str, Any], own: Named) -> Layout:
    """Which rule: of a GRU by what it says, else by its bias; and cuDNN's by theirs, whatever the layer is called."""
    bias, kernel = own.get("bias"), own.get("kernel")
    doubled = bias is not None and kernel is not None and bias.ndim == 1 and len(bias) == 2 * kernel.shape[-1]
    if doubled and kind in ("LSTM", "GRU"):
        kind = f"CuDNN{kind}"
    if kind == "GRU":
        after = config.get("reset_after", bias is None or bias.ndim == 2)
        kind = "GRU" if after else "GRU, reset_after=False"
    return layout("Keras", kind)


def _read(where: str, one: Layout, own: Named) -> dict[str, Array]:
    if "kernel" not in own or "recurrent_kernel" not in own:
        there = ", ".join(f"{key} {array.shape}" for key, array in own.items()) or "nothing"
        raise DataError(f"{where}: expected arrays kernel and recurrent_kernel of {one.layer}, got {there}")
    return one.read(where, own["kernel"], own["recurrent_kernel"], own.get("bias"))


def _activations(where: str, version: str, one: Layout, config: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the cell, where they are not the usual ones."""
    if one.folded:  # cuDNN's have no others
        return {}
    early = version[:2] in ("1.", "2.") and "tf" not in version and _number(version) < (2, 3)
    usual = {"activation": "tanh"}
    if one.cell != "rnn":
        usual["recurrent_activation"] = "sigmoid"
    found = {}
    for option, value in usual.items():
        default = "hard_sigmoid" if early and option == "recurrent_activation" else value
        given = config.get(option, default)
        ours = _activation(where, version, option, given)
        if ours != value:
            found[option] = ours
    return found


def _activation(where: str, version: str, option: str, given: Any) -> str:
    name = given if isinstance(given, str) else "linear" if given is None else str(given)
    if name == "hard_sigmoid":  # Keras 3's is torch's, that of before is 0.2 x + 0.5
        return "hard_sigmoid" if version.startswith("3") else "hard_sigmoid_0.2"
    if name not in _ACTIVATIONS:
        raise DataError(f"{where}: {option}={name}: no cell has it; there are {', '.join(_ACTIVATIONS)}, hard_sigmoid")
    return _ACTIVATIONS[name]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
