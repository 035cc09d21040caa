"""Weights of other programs: PyTorch, Keras, TensorFlow 1, ONNX, and the book's pickles, as layers and models.

    from ostinato import interop

    found = interop.read("model.pt")          # nothing in the file is run
    lstm = interop.layer(found.of(interop.Stack)[0])

`layouts` knows each program's order of gates and rule of biases, both ways.
"""

from ostinato.interop.assembling import layer
from ostinato.interop.parts import Dense, Embedding, Found, Left, Pooling, Stack
from ostinato.interop.reading import read

__all__ = ["Dense", "Embedding", "Found", "Left", "Pooling", "Stack", "layer", "read"]
