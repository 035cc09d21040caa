"""A whole translator on NumPy arrays: texts to texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import DataError
from ostinato.runtime.archive import Archive
from ostinato.runtime.sequences import padded
from ostinato.runtime.texts import Tokenizer
from ostinato.runtime.writing import Decoder, Floats, Ids, Search, State


class Translator:
    """What a run's translator computes, from `ostinato export RUN --to numpy`.

    Args:
        archive: the file.
        threads: at most this many; by default OMP_NUM_THREADS, or one for each processor.

    Attributes:
        source: tokenizer of what is read.
        target: tokenizer of what is written; the same object where there is one vocabulary.

    Raises:
        ConfigError: a cell that the native kernels lack.
    """

    def __init__(self, archive: Archive, threads: int | None = None) -> None:
        about, model, arrays = archive.about, archive.model, archive.arrays
        self.target = Tokenizer(about["tokenizer"], about["level"])
        source = about.get("source")
        self.source = self.target if source is None else Tokenizer(source["tokenizer"], source["level"])
        self._ends, self._width = about["source_ends"], about["source_width"]
        self._embedding = np.ascontiguousarray(arrays["encoder.embedding.weight"], np.float32)
        self._encoder = archive.recurrent("encoder.recurrent.", threads, zoneout=model.get("zoneout", 0.0))
        self._reverse, self._h_alone = bool(model.get("reverse")), model.get("hands_over") == "h"
        self._decoder, self._search = Decoder(archive, threads), Search(archive)
        names = [name for name in self._decoder.fields if f"encoder.bridges.{name}.weight" in arrays]
        self._bridges = {name: archive.linear(f"encoder.bridges.{name}") for name in names}

    def translate(self, texts: Sequence[str], beam: int | None = None) -> list[str]:
        """Each text translated, as `ostinato predict` has it.

        Args:
            texts: sources; an empty one stays empty.
            beam: hypotheses that are followed; 1 is greedy, None what `ostinato predict` takes.

        Raises:
            DataError: something else than texts.
        """
        found = []
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise DataError(f"texts[{number}]: expected a text, got {type(text).__name__}")
            if not text:
                found.append("")
                continue
            ids = self.source.encode(text.ljust(self._width))
            ids = [*ids, self.source.eos_id] if self._ends else ids
            (written,) = self.write(*padded([np.array(ids, np.int64)]), beam)
            found.append(self.target.decode(written[0]).strip())
        return found

    def write(
        self, inputs: Ids, lengths: Ids, width: int | None = None, limit: int | None = None
    ) -> list[tuple[list[int], float]]:
        """The target of each source, as ids without the end, and its score.

        Args:
            inputs: `[S, N]` ids of sources.
            lengths: `[N]` of them.
            width: of the beam; see `translate`.
            limit: tokens at most; by default twice the source's and some, up to what the run writes.
        """
        state, most = self._start(inputs, lengths), self._search.max_length
        limits = [min(2 * int(length) + 50, most) if limit is None else limit for length in lengths]
        return [self._search.best(self._decoder, state.of(row), one, width) for row, one in enumerate(limits)]

    def __call__(self, inputs: Ids, lengths: Ids, target_inputs: Ids) -> Floats:
        """Scores `[T, N, V]` of the tokens behind each of `target_inputs` `[T, N]`, the first of which is the end's id;
        of sources `inputs` `[S, N]`, of which `lengths` `[N]` are valid."""
        return self._decoder(target_inputs, self._start(inputs, lengths))[0]

    def numbers(self, **inputs: Ids) -> tuple[Floats]:
        """A call, by the names of the run's model."""
        return (self(**inputs),)

    def _start(self, source: Ids, lengths: Ids) -> State:
        """What the decoder begins with."""
        steps, lengths = np.arange(len(source))[:, None], np.asarray(lengths)
        order = np.where(steps < lengths, lengths - 1 - steps, steps)  # turns the valid part round
        source = np.take_along_axis(source, order, 0) if self._reverse else source
        outputs, state = self._encoder(self._embedding[source], lengths=lengths)
        if self._reverse:
            outputs = np.take_along_axis(outputs, order[:, :, None], 0)
        return self._decoder.start(self._fields(state), outputs, lengths)

    def _fields(self, state: Any) -> list[NDArray[np.float32]]:
        """Of the decoder's first state, `[L, N, size]` each."""
        found: list[NDArray[np.float32]] = []
        for name, field in state._asdict().items():
            if self._encoder.bidirectional:  # both directions side by side
                rows, N, size = field.shape
                field = field.reshape(rows // 2, 2, N, size).swapaxes(1, 2).reshape(rows // 2, N, 2 * size)
            field = self._bridges[name](field) if name in self._bridges else field
            found.append(np.zeros_like(field) if found and self._h_alone else field)
        return found
