"""What the room gives: two files, and how to try them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Program(NamedTuple):
    """A model in C.

    Attributes:
        name: begins all names of the files.
        header: of NAME.h.
        source: of NAME.c.
        driver: a main function that answers examples from standard input, as a `Sample` has them.
        weight_bytes: of all constants.
    """

    name: str
    header: str
    source: str
    driver: str
    weight_bytes: int


class Sample(NamedTuple):
    """Random inputs, and what the run makes of them.

    Attributes:
        given: what a program's driver reads.
        expected: what it is to write, of its dtype.
        unit: what a difference is measured by, of a shape that goes with `expected`.
        inputs: how many.
    """

    given: bytes
    expected: npt.NDArray[Any]
    unit: npt.NDArray[Any] | np.float32
    inputs: int

    def difference(self, output: bytes) -> float:
        """The largest difference of an output: absolute of numbers up to 1 in these units, relative of larger ones.

        Infinite where they are not as many numbers, or one is none.
        """
        found = np.frombuffer(output, self.expected.dtype)
        if found.size != self.expected.size:
            return float("inf")
        apart = np.abs(found.reshape(self.expected.shape) - self.expected) / self.unit
        most = (apart / np.maximum(np.abs(self.expected / self.unit), 1.0)).max(initial=0.0)
        return float(most) if most == most else float("inf")
