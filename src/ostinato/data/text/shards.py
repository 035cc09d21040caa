"""Token ids of a long text in shards: files of their own, made while those before them are trained on."""

from pathlib import Path

import numpy as np

from ostinato.core.files import LocalFile
from ostinato.data.sources.ahead import AHEAD, Ahead, all_made
from ostinato.data.text.corpus import Progress, ids_file, token_ids
from ostinato.data.text.reading import Text
from ostinato.data.text.tokenizer import TokenIds, Tokenizer


class Shards:
    """The ids of a text, shard by shard.

    A process of lower priority makes the next `AHEAD` shards; a shard that nobody has made is made when it is asked
    for. Of several processes on a machine one makes a shard, which all read. After the last shard comes the first one
    again.

    Args:
        texts: parts of the text, in order.
        tokenizer: what makes ids of them.
        rate: tokens a character, about: of a sample.
        cache_dir: where files are kept; by default `cache_folder()`.
    """

    def __init__(
        self, texts: tuple[Text, ...], tokenizer: Tokenizer, rate: float, cache_dir: str | None = None
    ) -> None:
        self.texts, self.tokenizer, self.rate, self._cache_dir = texts, tokenizer, rate, cache_dir
        self._files: tuple[LocalFile, ...] = ()
        self.ahead = Ahead(self)

    def __len__(self) -> int:
        """Tokens in all, about."""
        return sum(self.expected)

    @property
    def count(self) -> int:
        """Shards."""
        return len(self.texts)

    @property
    def expected(self) -> list[int]:
        """Tokens of each shard, about: what is known before it is made, and the same each time."""
        return [round(text.characters * self.rate) for text in self.texts]

    @property
    def there(self) -> bool:
        """Whether all shards have come from another machine."""
        return bool(self._files)

    def ids(self, number: int) -> TokenIds:
        """A shard's ids, `[tokens]`, mapped from its file; the next ones are made meanwhile.

        Raises:
            DataError: the text cannot be read or has changed, or there is no room on disk.
        """
        return self.ahead.get(number, [(number + step) % self.count for step in range(1, AHEAD + 1)])

    def first(self) -> TokenIds:
        """The first shard's ids, for whoever wants some; no others are made meanwhile. Raises what `ids` does."""
        return self.ahead.opened(0)

    def complete(self, progress: Progress | None = None) -> "Shards":
        """The same with all files there, to be sent to another machine where the text is not.

        Raises:
            DataError: the text cannot be read, or the files cannot be kept.
        """
        found = Shards(self.texts, self.tokenizer, self.rate, self._cache_dir)
        found._files = all_made(self, "token ids", [text.characters for text in self.texts], progress)
        return found

    def make(self, number: int) -> TokenIds:
        """A shard's ids, from its file if that is there. Raises what `ids` does."""
        if self._files:
            return np.memmap(self._files[number].path, self.tokenizer.dtype, "r")
        return token_ids(self.texts[number], self.tokenizer, self._cache_dir)

    def file(self, number: int) -> Path:
        """Where a shard's ids are kept."""
        return ids_file(self.texts[number], self.tokenizer, self._cache_dir)
