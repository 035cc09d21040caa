"""What a model is: layers with names, their weights each once, to a file and back."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from ostinato.byhand.layers import Array, Layer


class Model:
    """Layers by name.

    Args:
        layers: in the order of their weights. A layer's weight that is another's as well, transposed or not, counts as
            the first one's.

    Attributes:
        params: every weight once, as an optimiser wants them.
        grads: the gradient of each.
        names: of each, as `lstm.Wx`.
    """

    def __init__(self, layers: Mapping[str, Layer]) -> None:
        self.layers = dict(layers)
        self.params: list[Array] = []
        self.grads: list[Array] = []
        self.names: list[str] = []
        for layer_name, layer in layers.items():
            for name, param, grad in zip(layer.names, layer.params, layer.grads, strict=True):
                if not any(np.shares_memory(param, other) for other in self.params):
                    self.params.append(param)
                    self.grads.append(grad)
                    self.names.append(f"{layer_name}.{name}")

    def zero_grads(self) -> None:
        """Before each `backward`, as layers add to them."""
        for grad in self.grads:
            grad[...] = 0

    def named_params(self) -> dict[str, Array]:
        """The arrays themselves, by name."""
        return dict(zip(self.names, self.params, strict=True))

    def named_grads(self) -> dict[str, Array]:
        """Those of `named_params`, under the same names."""
        return dict(zip(self.names, self.grads, strict=True))

    def save_params(self, path: str | PathLike[str]) -> None:
        """Arrays by name, as safetensors or, where the name ends in .npz, as NumPy's archive. Neither can hold code."""
        arrays = {name: np.ascontiguousarray(param) for name, param in self.named_params().items()}
        if Path(path).suffix == ".npz":
            np.savez(path, allow_pickle=False, **arrays)
        else:
            save_file(arrays, path)

    def load_params(self, path: str | PathLike[str]) -> None:
        """Weights of a model that was saved, into these arrays.

        Raises:
            ValueError: the weights of another model; none is changed then.
        """
        if Path(path).suffix == ".npz":
            with np.load(path, allow_pickle=False) as archive:
                found = dict(archive)
        else:
            found = load_file(path)
        own = self.named_params()
        theirs, ours = ({name: array.shape for name, array in arrays.items()} for arrays in (found, own))
        if theirs != ours:
            differ = sorted(name for name in {*theirs, *ours} if theirs.get(name) != ours.get(name))
            name = differ[0]
            raise ValueError(f"{path}: expected {name} of shape {ours.get(name)}, got {theirs.get(name)}")
        for name, param in own.items():
            param[...] = found[name]


class Weights:
    """Where first weights come from: uniform, about zero, drawn in the order in which they are asked for.

    Args:
        random: the generator.
        dtype: of all weights.
    """

    def __init__(self, random: np.random.Generator, dtype: npt.DTypeLike) -> None:
        self.random, self.dtype = random, dtype

    def uniform(self, *shape: int, within: float) -> Array:
        """From -within to within."""
        return self.random.uniform(-within, within, shape).astype(self.dtype)

    def embedding(self, V: int, D: int) -> Array:
        """`[V, D]`."""
        return self.uniform(V, D, within=0.1)

    def affine(self, H: int, V: int) -> tuple[Array, Array]:
        """`[H, V]`, in memory as an embedding has it, and zeros `[V]`."""
        return self.uniform(V, H, within=0.1).T, np.zeros(V, self.dtype)

    def recurrent(self, D: int, H: int, gates: int) -> tuple[Array, Array, Array]:
        """Wx `[D, G*H]`, Wh `[H, G*H]` and b `[G*H]`, as torch draws them."""
        within, width = H**-0.5, gates * H
        return (
            self.uniform(D, width, within=within),
            self.uniform(H, width, within=within),
            self.uniform(width, within=within),
        )
