"""How much of a large corpus is encoded at a time."""

from dataclasses import dataclass

from ostinato.config.checks import at_least

#: Least --shard-size: a thousand characters.
SMALLEST_SHARD = 0.001


@dataclass(frozen=True)
class ShardOptions:
    """What is too large to be held in memory."""

    shard_size: float | None = None
    """Train in shards of so many million characters, which are encoded while those before them are trained on: much
    data is begun with at once, and memory stays what it is. By default 16 for files of more than 256 MB (train lm: for
    texts of more than 256 million characters); what is smaller is read as a whole."""

    def __post_init__(self) -> None:
        at_least(shard_size=(self.shard_size, SMALLEST_SHARD))
