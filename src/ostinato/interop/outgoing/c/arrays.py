"""Weights as constant arrays: float32, or int8 with a scale for each row."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from torch import Tensor

from ostinato.interop.outgoing.c.text import double, filled, literal, string

Weights = Literal["float32", "int8"]
Array = npt.NDArray[np.float32]


@dataclass
class Arrays:
    """All constants of a program.

    Attributes:
        weights: how matrices are kept; vectors, such as biases, stay float32.
        bytes: of all arrays so far.
    """

    weights: Weights
    bytes: int = 0
    _declarations: list[str] = field(default_factory=list)
    _definitions: list[str] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    @property
    def quantized(self) -> bool:
        """Whether matrices are int8."""
        return self.weights == "int8"

    def matrix(self, name: str, values: Array) -> str:
        """A matrix `[rows, columns]` as the arguments that `multiply` and `row_of` begin with."""
        rows, columns = values.shape
        name = self._unused(name)
        if not self.quantized:
            self._array("float", name, f"{rows} * {columns}", _floats(values), 4 * values.size)
            return name
        scales, whole = quantize(values)
        self._array("int8_t", name, f"{rows} * {columns}", [str(v) for v in whole.ravel().tolist()], whole.size)
        self._array("float", f"{name}_scale", str(rows), _floats(scales), 4 * rows)
        return f"{name}, {name}_scale"

    def vector(self, name: str, values: Array) -> str:
        """A vector's name."""
        name = self._unused(name)
        self._array("float", name, str(values.size), _floats(values), 4 * values.size)
        return name

    def doubles(self, name: str, values: Sequence[float]) -> str:
        """A vector of double precision."""
        name = self._unused(name)
        self._array("double", name, str(len(values)), [double(v) for v in values], 8 * len(values))
        return name

    def whole(self, name: str, kind: str, values: Sequence[int], size: int) -> str:
        """A vector of whole numbers of a type of C, of so many bytes each."""
        name = self._unused(name)
        self._array(kind, name, str(len(values)), [str(v) for v in values], size * len(values))
        return name

    def strings(self, name: str, values: Sequence[str]) -> None:
        """A table of strings that the header declares."""
        size = sum(len(text.encode("utf-8", "surrogatepass")) + 1 for text in values)
        lines = [f"const char *const {name}[{len(values)}] = {{", filled(map(string, values)), "};"]
        self._definitions.append("\n".join(lines))
        self.bytes += size

    def declarations(self) -> str:
        """Names and sizes, for the top of the file."""
        return "\n".join(self._declarations)

    def definitions(self) -> str:
        """The numbers, for its end."""
        return "\n\n".join(self._definitions)

    def _unused(self, name: str) -> str:
        found, number = name, 2
        while found in self._names:
            found, number = f"{name}_{number}", number + 1
        self._names.add(found)
        return found

    def _array(self, kind: str, name: str, size: str, values: list[str], count: int) -> None:
        self._declarations.append(f"static const {kind} {name}[{size}];")
        self._definitions.append(f"static const {kind} {name}[{size}] = {{\n{filled(values)}\n}};")
        self.bytes += count


def as_array(tensor: Tensor) -> Array:
    """A tensor's numbers."""
    found: Array = tensor.detach().float().numpy()
    return found


def quantize(values: Array) -> tuple[Array, npt.NDArray[np.int8]]:
    """Scales `[rows]` and whole numbers from -127 to 127 whose products are nearest to a matrix."""
    largest = np.abs(values).max(axis=1, initial=0.0)
    scales = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    return scales, np.clip(np.rint(values / scales[:, None]), -127, 127).astype(np.int8)


def _floats(values: Array) -> list[str]:
    return [literal(v) for v in values.ravel().tolist()]
