"""An encoding for tests: of pairs of a text and a number, the text's length and the number."""

from dataclasses import dataclass

import numpy as np
import torch

from ostinato.core.batch import Batch


@dataclass
class Found:
    lengths: np.ndarray
    numbers: np.ndarray

    @property
    def counts(self):
        return np.ones_like(self.lengths)

    def batch(self, rows):
        lengths = torch.as_tensor(self.lengths[rows])
        return Batch(lengths, torch.as_tensor(self.numbers[rows]), lengths, counted=len(rows))


@dataclass(frozen=True)
class Lengths:
    key: str = "lengths"

    def arrays(self, part):
        return {"lengths": np.array(list(map(len, part.sources))), "numbers": np.array(list(map(int, part.targets)))}

    def examples(self, arrays):
        return Found(arrays["lengths"], arrays["numbers"])
