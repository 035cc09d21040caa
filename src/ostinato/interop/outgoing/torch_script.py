"""A model as torch.nn's own classes: a script that builds it, its weights, and what it reads and answers."""

import ast
import pprint
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from ostinato.cells import form
from ostinato.config.cells import USUAL
from ostinato.core.errors import DataError
from ostinato.core.registry import lookup
from ostinato.interop.outgoing.described import Described
from ostinato.layers.convolutions import kernels_of

#: What torch.nn calls its layers: class and `nonlinearity`.
_LAYERS = {"LSTM": ("LSTM", None), "GRU": ("GRU", None), "RNN_TANH": ("RNN", "tanh"), "RNN_RELU": ("RNN", "relu")}


def sizes(described: Described, model: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the class in `plain`.

    Args:
        described: the model.
        model: the arguments of the run's model.

    Raises:
        DataError: a cell, or an option of one, that torch.nn has no layer of.
    """
    if described.kind not in _KINDS:
        raise DataError(f"--to torch: a {described.kind} is not written so; --to onnx has it")
    arguments = _KINDS[described.kind].arguments(described, model)
    return {name: value for name, value in arguments.items() if value not in (None, ())}


def script(described: Described, arguments: Mapping[str, Any], title: str) -> str:
    """The script: the modules of `plain` that the model is made of, one behind the other, and what loads it."""
    modules, name, _ = _KINDS[described.kind]
    imports, bodies = set[str](), []
    for own in ("padded", *modules):
        source = files("ostinato.interop.outgoing.plain").joinpath(f"{own}.py").read_text(encoding="utf-8")
        found, body = _taken_apart(source)
        imports |= found
        bodies.append(body)
    shown = pprint.pformat(dict(arguments), width=100, sort_dicts=False)
    lines = sorted(imports | {"from pathlib import Path"}, key=lambda line: (line.startswith("from"), line))
    standard, others = ([line for line in lines if ("torch" in line) == theirs] for theirs in (False, True))
    said = f'"""{title}: PyTorch alone runs it.\n\nabout.json says what its numbers stand for.\n"""'
    head = [said, "", *standard, "", *others, "", "", ""]
    return "\n".join(head) + "\n\n\n".join(bodies) + _LOADING.format(name=name, shown=shown)


_LOADING = '''


#: Of this model.
SIZES = {shown}


def load(weights: str | Path = Path(__file__).parent / "weights.pt") -> {name}:
    """The trained model, in evaluation."""
    model = {name}(**SIZES)
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model.eval()


if __name__ == "__main__":
    print(load())
'''


def _taken_apart(source: str) -> tuple[set[str], str]:
    """The imports of a module, without ours, and what stands behind them."""
    tree = ast.parse(source)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    kept = {ast.unparse(node) for node in imports if not (getattr(node, "module", None) or "").startswith("ostinato")}
    lines = source.splitlines()
    return kept, "\n".join(lines[imports[-1].end_lineno or 0 :]).strip("\n")


def layers(model: Mapping[str, Any], **own: Any) -> dict[str, Any]:
    """The arguments of `plain.padded.recurrent`, of layers as the model's arguments say, or `own` ones.

    Raises:
        DataError: torch.nn has no such layer.
    """
    mode = form.torch_mode(lookup(model["cell"]))
    if not mode:
        raise DataError(f"--to torch: torch.nn has no layer of cell {model['cell']!r}; --to onnx has every cell")
    other = {name: model[name] for name, usual in USUAL.items() if model.get(name, usual) != usual}
    usual = {"zoneout": 0.0, "merge": "concat", "reverse": False, "hold_output": False}
    other |= {name: model[name] for name, value in usual.items() if model.get(name, value) != value}
    if other:
        shown = ", ".join(f"{name}={value}" for name, value in other.items())
        raise DataError(f"--to torch: torch.nn's layers have no {shown}; --to onnx has it")
    kind, nonlinearity = _LAYERS[mode]
    found: dict[str, Any] = {"kind": kind, "hidden_size": model["hidden_size"], "num_layers": model["num_layers"]}
    found |= own
    if nonlinearity:
        found["nonlinearity"] = nonlinearity
    if not model.get("bias", True):
        found["bias"] = False
    if model.get("proj_size"):
        found["proj_size"] = model["proj_size"]
    return found


def _language_model(described: Described, model: Mapping[str, Any]) -> dict[str, Any]:
    apart = model.get("last_size") not in (None, model["hidden_size"])
    return {
        "vocab_size": model["vocab_size"],
        "embed_size": model["embed_size"],
        "layers": layers(model, num_layers=model["num_layers"] - apart),
        "last": layers(model, hidden_size=model["last_size"], num_layers=1) if apart else None,
        "cutoffs": tuple(model.get("cutoffs") or ()),
        "separator": model.get("separator"),
    }


def _sequence_model(described: Described, model: Mapping[str, Any]) -> dict[str, Any]:
    text = model.get("vocab_size") is not None
    return {
        "outputs": model["classes"] if "classes" in model else model["outputs"],
        "layers": layers(model, bidirectional=model["bidirectional"]),
        "pooling": model["pooling"],
        "vocab_size": model.get("vocab_size"),
        "features": model.get("features"),
        "embed_size": (model.get("embed_size") or model["hidden_size"]) if text else model.get("embed_size"),
        "kernels": kernels_of(model.get("convolutions", 0)),
    }


def _tagger(described: Described, model: Mapping[str, Any]) -> dict[str, Any]:
    H, cell = model.get("character_hidden_size", 64), model["cell"]
    spelling = None
    if H:
        plain = {"cell": cell, "hidden_size": H, "num_layers": 1}
        own = layers(plain, bidirectional=True)
        E = model.get("character_embed_size", 32)
        spelling = {"num_characters": model["num_characters"], "embed_size": E, "layers": own}
    return {
        "num_words": model["num_words"],
        "num_tags": model["num_tags"],
        "embed_size": model["embed_size"],
        "layers": layers(model, bidirectional=True),
        "spelling": spelling,
        "num_features": tuple(model.get("num_features", ())),
        "feature_embed_size": model.get("feature_embed_size"),
        "chained": "chain.transitions" in described.arrays,
    }


def _forecaster(described: Described, model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: model[name] for name in ("past_size", "known_size", "targets", "bases", "head", "autoregressive")},
        "layers": layers(model),
        "parameters": described.about["parameters"],
    }


def _translator(described: Described, model: Mapping[str, Any]) -> dict[str, Any]:
    both, about = model.get("bidirectional", True), described.about
    plain = {name: value for name, value in model.items() if name != "reverse"}  # which is of the source, not a layer's
    units = model["hidden_size"] // 2 if both else model["hidden_size"]
    reads = layers(plain, hidden_size=units, bidirectional=both)
    own = layers(plain)
    encoder: dict[str, Any] = {"vocab_size": model["source_vocab"], "embed_size": model["embed_size"], "layers": reads}
    if model.get("reverse"):
        encoder["reverse"] = True
    if model.get("hands_over") == "h":
        encoder["h_alone"] = True
    widths = {"h": _width(reads), "c": units}
    if bridges := {
        name: (size * (1 + both), wanted)
        for (name, size), wanted in zip(widths.items(), (_width(own), model["hidden_size"]), strict=True)
        if size * (1 + both) != wanted and (name == "h" or own["kind"] == "LSTM")
    }:
        encoder["bridges"] = bridges
    decoder = _decoder(model, own, model["target_vocab"], _width(reads) * (1 + both))
    return {"encoder": encoder, "decoder": decoder, "search": _search(about), "max_length": about["max_length"]}


def _captioner(described: Described, model: Mapping[str, Any]) -> dict[str, Any]:
    own, about, H, L = layers(model), described.about, model["hidden_size"], model["num_layers"]
    widths = {"h": L * _width(own)} | ({"c": L * H} if own["kind"] == "LSTM" else {})
    pictures = None
    if size := model.get("picture_size"):
        pictures = {"picture_size": size, "channels": list(about["channels"]), "groups": about["groups"],
                    "output_size": H}  # fmt: skip
    return {
        "decoder": _decoder(model, own, model["vocab_size"], H),
        "beginnings": widths,
        "search": _search(about),
        "max_length": about["max_length"],
        "pictures": pictures,
        "feature_size": model.get("feature_size") or None,
    }


def _decoder(model: Mapping[str, Any], own: Mapping[str, Any], vocab_size: int, memory: int) -> dict[str, Any]:
    attention = model.get("attention", "general")
    found: dict[str, Any] = {"vocab_size": vocab_size, "embed_size": model["embed_size"]}
    found |= {"layers": own, "memory_size": memory}
    found |= {name: True for name in ("peeky", "input_feeding") if model.get(name)}
    if attention is not None:
        found["attention"] = attention
    if model.get("tied"):
        found["readout"] = model["embed_size"]
    elif attention is not None and model.get("readout", True):
        found["readout"] = model["hidden_size"]
    return found


def _search(about: Mapping[str, Any]) -> dict[str, Any]:
    return {"end": about["end"], "never": about["never_written"], "length_penalty": about["length_penalty"]}


def _width(own: Mapping[str, Any]) -> int:
    return int(own.get("proj_size") or own["hidden_size"])


def _transcriber(described: Described, model: Mapping[str, Any]) -> dict[str, Any]:
    own = layers(model, bidirectional=model.get("bidirectional", True))
    return {"features": model["features"], "symbols": model["symbols"], "layers": own}


class _Kind(NamedTuple):
    """The modules in `plain` of a kind of model, behind `padded`; the class in the last of them, and its arguments."""

    modules: tuple[str, ...]
    name: str
    arguments: Callable[[Described, Mapping[str, Any]], dict[str, Any]]


_KINDS: Mapping[str, _Kind] = {
    "language model": _Kind(("language_model",), "LanguageModel", _language_model),
    "sequence model": _Kind(("sequence_model",), "SequenceModel", _sequence_model),
    "tagger": _Kind(("tagger",), "Tagger", _tagger),
    "forecaster": _Kind(("forecaster",), "Forecaster", _forecaster),
    "translator": _Kind(("writing", "translator"), "Translator", _translator),
    "captioner": _Kind(("writing", "captioner"), "Captioner", _captioner),
    "transcriber": _Kind(("transcriber",), "Transcriber", _transcriber),
}
