"""The pickles of "Deep Learning from Scratch 2" (Saitoh): a list of a model's arrays, in the order of its layers.

Rnnlm         embed_W, Wx, Wh, b, affine_W, affine_b
BetterRnnlm   embed_W, Wx, Wh, b, Wx, Wh, b, affine_W (embed_W transposed, or left out), affine_b
Seq2seq       embed_W, Wx, Wh, b, then the decoder's embed_W, Wx, Wh, b, affine_W, affine_b
PeekySeq2seq  the same; the decoder's Wx and affine_W read the encoder's h as well, in front
AttentionSeq2seq  the same; affine_W reads the context as well, in front
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.core.errors import DataError
from ostinato.interop.layouts import Array, layout
from ostinato.interop.parts import Dense, Embedding, Found, Stack, numbers
from ostinato.interop.pickles import read_pickle
from ostinato.interop.state_dict import read_state_dict, renamed

_PROGRAM = "Deep Learning from Scratch 2"
_LAYERS = {1: "TimeRNN", 3: "TimeGRU", 4: "TimeLSTM"}


def read_book(path: Path, names: Mapping[str, str]) -> Found:
    """A pickled list of arrays; a dict of arrays is read by their names.

    Raises:
        DataError: not such a pickle, or not the arrays of one of the book's models.
    """
    content = read_pickle(str(path), path.read_bytes())
    if isinstance(content, dict):
        content = content.get("params", content)
    if isinstance(content, dict):
        arrays = {str(name): value for name, value in content.items() if isinstance(value, np.ndarray)}
        return read_state_dict(str(path), "pickle of arrays by name", renamed(str(path), arrays, names))
    if not isinstance(content, list) or not all(isinstance(each, np.ndarray) for each in content):
        raise DataError(f"{path}: expected a list of arrays, as the book's models save, or a dict of them")
    return _model(str(path), content).renamed(names)


def _model(source: str, arrays: Sequence[Any]) -> Found:
    given = [numbers(f"{source}: array {index}", array) for index, array in enumerate(arrays)]
    found = Found(source, f"pickle of {_PROGRAM}")
    at = _reading(found, "", given, 0)
    second = at < len(given) and len(given) - at == 6
    if second:
        for part in found.parts:
            part.name = f"encoder.{part.name}"
        at = _reading(found, "decoder.", given, at)
    _affine(found, "decoder." if second else "", given[at:])
    found.model = _which(found) if second else "lm"
    return found


def _reading(found: Found, prefix: str, arrays: Sequence[Array], at: int) -> int:
    """An embedding and the recurrent layers behind it; returns where they end."""
    if at >= len(arrays) or arrays[at].ndim != 2:
        shapes = ", ".join(str(array.shape) for array in arrays[:8])
        raise DataError(f"{found.source}: array {at}: expected an embedding [V, D]; the arrays are of shapes {shapes}")
    found.parts.append(Embedding(f"{prefix}embed", arrays[at]))
    at, number = at + 1, 0
    while _is_layer(arrays[at : at + 3]):
        number += 1
        Wx, Wh, b = arrays[at : at + 3]
        kind = layout(_PROGRAM, _LAYERS[Wh.shape[1] // len(Wh)])
        name = f"{prefix}{kind.layer.removeprefix('Time').lower()}{number if number > 1 else ''}"
        weights = kind.read(f"{found.source}: {name}", Wx, Wh, b)
        stack = {f"{key}_l0": array for key, array in weights.items()}
        found.parts.append(Stack(name, kind.layer, kind.cell, stack))
        at += 3
    if not number:
        shapes = ", ".join(str(array.shape) for array in arrays[at : at + 3])
        raise DataError(
            f"{found.source}: arrays {at} to {at + 2}: expected Wx [D, G*H], Wh [H, G*H] and b [G*H] of an RNN, LSTM "
            f"or GRU, got shapes {shapes}"
        )
    return at


def _is_layer(arrays: Sequence[Array]) -> bool:
    if len(arrays) < 3:
        return False
    Wx, Wh, b = arrays
    return (
        (Wx.ndim, Wh.ndim, b.ndim) == (2, 2, 1)
        and Wx.shape[1] == Wh.shape[1] == len(b)
        and len(Wh) > 0
        and not Wh.shape[1] % len(Wh)
        and Wh.shape[1] // len(Wh) in _LAYERS
    )


def _affine(found: Found, prefix: str, rest: Sequence[Array]) -> None:
    embedding = found.of(Embedding)[-1].weight
    if len(rest) == 1 and rest[0].shape == (len(embedding),):  # BetterRnnlm's, whose matrix is the embedding's
        rest = [embedding.T, rest[0]]
    shapes = ", ".join(str(array.shape) for array in rest)
    if len(rest) != 2 or rest[0].ndim != 2 or rest[1].shape != rest[0].shape[1:]:
        raise DataError(f"{found.source}: expected W [H, V] and b [V] of the output layer at its end, got {shapes}")
    found.parts.append(Dense(f"{prefix}affine", np.ascontiguousarray(rest[0].T), rest[1]))


def _which(found: Found) -> str:
    """Which of the three: by what the decoder's layers read."""
    _, encoder, embed, decoder, affine = found.parts
    assert isinstance(encoder, Stack)
    assert isinstance(embed, Embedding)
    assert isinstance(decoder, Stack)
    assert isinstance(affine, Dense)
    E, H = embed.weight.shape[1], encoder.hidden_size
    reads = decoder.input_size, affine.weight.shape[1]
    models = {(E, H): "seq2seq", (E + H, 2 * H): "peeky", (E, 2 * H): "attention"}
    if decoder.hidden_size != H or reads not in models:
        raise DataError(
            f"{found.source}: {decoder.name} reads {reads[0]} and {affine.name} {reads[1]} features, with an embedding "
            f"of {E} and an encoder of {H}: none of the book's three models"
        )
    return models[reads]
