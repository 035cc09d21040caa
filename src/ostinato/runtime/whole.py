"""Whole models by what they are: which class a file's `kind` is."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from ostinato.core.errors import ConfigError
from ostinato.runtime.archive import Archive

#: The module and the class of each, or what makes it; it takes the archive and `threads`.
KINDS: Mapping[str, tuple[str, str]] = {
    "language model": ("language_model", "LanguageModel"),
    "sequence model": ("sequences", "SequenceModel"),
    "tagger": ("tagger", "Tagger"),
    "forecaster": ("forecaster", "Forecaster"),
    "translator": ("translator", "Translator"),
    "captioner": ("captioner", "Captioner"),
    "transcriber": ("transcriber", "Transcriber"),
    "layer": ("archive", "layer"),
}


def whole_model(archive: Archive, threads: int | None = None) -> Any:
    """The model that a file holds.

    Raises:
        ConfigError: of a kind that this version does not know, or that lacks something.
    """
    if archive.about["kind"] not in KINDS:
        raise ConfigError(f"{archive.file}: a {archive.about['kind']}, which this version does not know")
    module, name = KINDS[archive.about["kind"]]
    kind: Callable[..., Any] = getattr(import_module(f"ostinato.runtime.{module}"), name)
    try:
        return kind(archive, threads)
    except (KeyError, TypeError, IndexError) as error:
        raise ConfigError(f"{archive.file}: damaged, it does not hold a {archive.about['kind']}: {error!r}") from None
