"""A whole tagger on NumPy arrays: words to tags."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ostinato.core.errors import DataError
from ostinato.runtime.archive import Archive

#: Words and characters that the vocabulary lacks.
UNKNOWN = 0

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


class Tagger:
    """What a run's tagger computes, from `ostinato export RUN --to numpy`.

    Args:
        archive: the file.
        threads: at most this many; by default OMP_NUM_THREADS, or one for each processor.

    Attributes:
        tags: K names.

    Raises:
        ConfigError: a cell that the native kernels lack.
    """

    def __init__(self, archive: Archive, threads: int | None = None) -> None:
        about, model, arrays = archive.about, archive.model, archive.arrays
        self.tags: list[str] = about["tags"]
        self._words: Mapping[str, int] = about["words"]
        self._characters = {character: number for number, character in enumerate(about["characters"], 1)}
        self._columns = [{value: number for number, value in enumerate(own, 1)} for own in about["columns"]]
        self._longest, self._spelled = about["max_length"], about["spelled"]
        self._arrays = arrays
        self._recurrent = archive.recurrent("recurrent.", threads, zoneout=model.get("zoneout", 0.0))
        spelling = "spelling.embedding.weight" in arrays
        self._spelling = archive.recurrent("spelling.recurrent.", threads) if spelling else None
        self._output = archive.linear("output")

    def tag(
        self, sentences: Sequence[Sequence[str]], columns: Sequence[Sequence[Sequence[str]]] = ()
    ) -> list[list[str]]:
        """The tags of each sentence's words.

        Args:
            sentences: words of each; of a text those between white space.
            columns: of each sentence, what stands in the other columns that the run reads, where it does.

        Raises:
            DataError: columns that the run reads are not there, or are of another number than the words.
        """
        found: list[list[str]] = []
        for number, sentence in enumerate(sentences):
            words = sentence.split() if isinstance(sentence, str) else list(sentence)
            beside = list(columns[number]) if number < len(columns) else []
            if len(beside) != len(self._columns) or any(len(column) != len(words) for column in beside):
                raise DataError(
                    f"sentences[{number}]: expected {len(self._columns)} columns beside the words, of {len(words)} each"
                )
            tags: list[str] = []
            for at, end in self._pieces(len(words)):
                scores = self.scores(words[at:end], [column[at:end] for column in beside])
                tags += [self.tags[tag] for tag in self.decode(scores)]
            found.append(tags)
        return found

    def scores(self, words: Sequence[str], columns: Sequence[Sequence[str]] = ()) -> Floats:
        """The score of each tag for each word of one piece, `[T, K]`."""
        ids = np.array([[self._words.get(word.lower(), UNKNOWN)] for word in words], np.int64)
        known = zip(self._columns, columns, strict=True)
        features = [[[own.get(value, UNKNOWN)] for value in column] for own, column in known]
        spelled = np.arange(len(words))[:, None]
        found = self(ids, np.array([len(words)]), spelled, *self._spellings(words), np.array(features, np.int64))
        return found[:, 0]

    def __call__(
        self,
        words: Ids,
        lengths: Ids,
        spelled: Ids,
        characters: Ids,
        character_lengths: Ids,
        features: Ids | None = None,
    ) -> Floats:
        """The score of each tag, `[T, N, K]`, of ids.

        Args:
            words: `[T, N]` word ids.
            lengths: `[N]` words of each sentence.
            spelled: `[T, N]` which column of `characters` spells the word.
            characters: `[C, U]` character ids of the U different words.
            character_lengths: `[U]` characters of each.
            features: `[F, T, N]` ids in each other column.
        """
        arrays = self._arrays
        parts = [arrays["embedding.weight"][words]]
        if self._spelling is not None:
            read = np.ascontiguousarray(arrays["spelling.embedding.weight"][characters], np.float32)
            _, state = self._spelling(read, lengths=character_lengths)
            parts.append(np.concatenate([*state[0]], axis=-1)[spelled])
        for number, column in enumerate(() if features is None else features):
            parts.append(arrays[f"features.{number}.weight"][column])
        x = np.ascontiguousarray(np.concatenate(parts, axis=-1), np.float32)
        found: Floats = self._output(self._recurrent(x, lengths=lengths)[0])
        return found

    def numbers(self, **inputs: Ids) -> tuple[Floats]:
        """A call, by the names of the run's model."""
        return (self(**inputs),)

    def decode(self, scores: Floats) -> list[int]:
        """The tags by number: of a CRF, or where the tags' scheme forbids some, the best sequence (Viterbi 1967)."""
        if "chain.transitions" not in self._arrays or not len(scores):
            return [int(tag) for tag in scores.argmax(-1)]
        start, transitions, end = (self._arrays[f"chain.{name}"] for name in ("start", "transitions", "end"))
        best, came_from = start + scores[0], []
        for emission in scores[1:]:
            total = best[:, None] + transitions
            came_from.append(total.argmax(0))
            best = total.max(0) + emission
        path = [int((best + end).argmax())]
        for source in reversed(came_from):
            path.append(int(source[path[-1]]))
        return path[::-1]

    def _spellings(self, words: Sequence[str]) -> tuple[Ids, Ids]:
        """Characters `[C, T]` of each word, and how many; of a long one its two ends."""
        half = self._spelled // 2
        short = [word if len(word) <= self._spelled else word[:half] + word[-half:] for word in words]
        lengths = np.array([len(word) for word in short], np.int64)
        ids = np.zeros((int(lengths.max(initial=0)), len(words)), np.int64)
        for column, word in enumerate(short):
            ids[: len(word), column] = [self._characters.get(character, UNKNOWN) for character in word]
        return ids, lengths

    def _pieces(self, words: int) -> list[tuple[int, int]]:
        """Where a longer sentence is cut, as evenly as may be."""
        count = -(-words // self._longest)
        sizes = [words // count + (piece < words % count) for piece in range(count)]
        ends = np.cumsum(sizes).tolist()
        return list(zip([0, *ends], ends, strict=False))
