"""What a language model may do with a text while it is evaluated on it, and how data differ from those of training."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ostinato.config.checks import above_zero, at_least, share
from ostinato.config.table import Decimal, Separator
from ostinato.core.errors import ConfigError


@dataclass(frozen=True)
class AdaptingOptions:
    """Language models: learn from the text, or remember it, while it is read. Each token is predicted from what lies
    before it alone."""

    dynamic: float = 0.0
    """Dynamic evaluation (Krause et al. 2018), with plain SGD at this learning rate: after each piece of the text the
    weights go down the gradient of its mean loss. 0.1 to 1 is common. 0 means off. The run's own weights stay."""

    dynamic_steps: int = 5
    """Tokens between two such steps, through which the gradient flows."""

    dynamic_decay: float = 0.0
    """Share of the way back to the run's weights that each step goes."""

    cache: int = 0
    """Neural cache (Grave et al. 2017): tokens back to look for moments when the model was in a like state; what came
    next then is made more probable. Some hundreds to some thousands are common. 0 means off."""

    cache_theta: float = 0.3
    """How much more a like state counts than an unlike one; 0 counts all alike."""

    cache_lambda: float = 0.1
    """Share of the probability that the cache has a say in."""

    def __post_init__(self) -> None:
        at_least(dynamic=(self.dynamic, 0), cache=(self.cache, 0), cache_theta=(self.cache_theta, 0))
        above_zero(dynamic_steps=self.dynamic_steps)
        share(dynamic_decay=self.dynamic_decay, cache_lambda=self.cache_lambda)

    def named(self) -> dict[str, dict[str, Any]]:
        """What is on, for a result: empty where nothing is."""
        found: dict[str, dict[str, Any]] = {}
        if self.dynamic:
            found["dynamic"] = {"lr": self.dynamic, "steps": self.dynamic_steps, "decay": self.dynamic_decay}
        if self.cache:
            found["cache"] = {"window": self.cache, "theta": self.cache_theta, "lambda": self.cache_lambda}
        return found


@dataclass(frozen=True)
class ViewOptions:
    """Captions: where the pictures are now, if not where they were in training."""

    images: str | None = None
    """Folder of the pictures, of a run that was trained on pictures."""

    features: str | None = None
    """File of the pictures' features, of a run that was trained on features."""

    def __post_init__(self) -> None:
        if self.images is not None and self.features is not None:
            raise ConfigError("--images and --features: a run sees pictures or features of them; give one")


@dataclass(frozen=True)
class ReadingOptions:
    """How the data are laid out, where otherwise than in training."""

    encoding: str | None = None
    """Of text files, where it is not UTF-8: cp949, shift_jis, gb18030, cp1252, any that Python knows."""

    decimal: Decimal | None = None
    """Of CSV: "," where numbers are written 1,5."""

    header: bool | None = None
    """Of CSV: whether the first line holds the columns' names."""

    comment: str | None = None
    """Of CSV: what lines begin with that are none of the table."""

    date_format: str | None = None
    """forecast, classify: how times are written, such as "%d/%m/%Y"."""

    text: str | None = None
    """classify: column of the texts."""

    label: str | None = None
    """classify: column of the labels."""

    id: str | None = None
    """classify, forecast: column that tells sequences of numbers apart."""

    time: str | None = None
    """classify, forecast: column to sort the rows of a sequence by."""

    values: str | None = None
    """classify: columns of the values, with commas between."""

    target: str | None = None
    """forecast: columns that were called otherwise in training, in the same order, with commas between."""

    past: str | None = None
    """forecast: the same."""

    future: str | None = None
    """forecast: the same."""

    static: str | None = None
    """forecast: the same."""

    column: str | None = None
    """tag: column of the tags, a name or a number from 1."""

    word_column: str | None = None
    """tag: column of the words, a name or a number from 1."""

    format: Literal["columns", "text"] | None = None
    """tag, predict: words in columns, or plain sentences, one a line. By default as the data look."""

    columns: str | None = None
    """translate: columns of sources and targets in a table, SOURCE,TARGET."""

    separator: Separator = None
    """Of CSV, where it is not a comma; translate: what stands between source and target in each line."""

    def given(self) -> dict[str, Any]:
        """What is set, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}
