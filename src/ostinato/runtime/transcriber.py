"""A whole transcriber on NumPy arrays: frames of numbers to the symbols that they say."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import ConfigError
from ostinato.runtime.alignment import best_path, prefix_beam_search
from ostinato.runtime.archive import Archive, log_softmax
from ostinato.runtime.sequences import padded, standardised

Floats = NDArray[np.float32]


class Transcriber:
    """What a run's transcriber computes, from `ostinato export RUN --to numpy`.

    Args:
        archive: the file.
        threads: at most this many; by default OMP_NUM_THREADS, or one for each processor.

    Attributes:
        symbols: `[V]`; the model's class of the first is 1.

    Raises:
        ConfigError: a cell that the native kernels lack.
    """

    def __init__(self, archive: Archive, threads: int | None = None) -> None:
        about = archive.about
        self.symbols: list[str] = about["symbols"]
        self._scaling, self._between, self._width = about["scaling"], about["between_symbols"], about["beam"]
        self._recurrent = archive.recurrent("recurrent.", threads, zoneout=archive.model.get("zoneout", 0.0))
        self._output = archive.linear("output")

    def transcribe(self, inputs: Sequence[Any], beam: int | None = None) -> list[dict[str, Any]]:
        """What each sequence says, `text` and its `log_probability` in nats, as `ostinato predict` has it.

        Args:
            inputs: arrays `[T, D]` of numbers as they were measured.
            beam: prefixes that are followed; 1 takes the best path, None what `ostinato predict` takes.

        Raises:
            DataError: an input of another kind or width.
            ConfigError: a beam below 1.
        """
        width = self._width if beam is None else beam
        if width < 1:
            raise ConfigError(f"beam: expected a width of at least 1, got {width}")
        found: list[dict[str, Any]] = []
        for number, given in enumerate(inputs):
            scores = self(*padded([standardised(number, given, self._scaling)]))[:, 0]
            logs = log_softmax(scores.astype(np.float64))
            said = best_path(logs) if width == 1 else prefix_beam_search(logs, width)
            text = self._between.join(self.symbols[symbol - 1] for symbol in said.symbols)
            found.append({"text": text, "log_probability": said.log_probability})
        return found

    def __call__(self, inputs: Floats, lengths: NDArray[np.int64]) -> Floats:
        """Scores `[T, N, V + 1]` of standardised frames `[T, N, D]`, of which `lengths` `[N]` are valid."""
        return self._output(self._recurrent(inputs, lengths=lengths)[0])

    def numbers(self, inputs: Floats, lengths: NDArray[np.int64]) -> tuple[Floats]:
        """A call, by the names of the run's model."""
        return (self(inputs, lengths),)
