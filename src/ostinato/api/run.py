"""A trained run: what `ostinato.train` returns and `ostinato.load` finds again."""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import Any

from torch import nn

from ostinato.api import language_model
from ostinato.checkpoint import RunFolder
from ostinato.config.commands import SamplingOptions
from ostinato.core.errors import ConfigError, DataError, RunFolderError
from ostinato.data.corpus import Progress, token_ids
from ostinato.data.streams import single_stream
from ostinato.data.text import open_text
from ostinato.data.tokenizer import Tokenizer
from ostinato.decoding import sample
from ostinato.evaluation import evaluate_language_model


class Run:
    """The best weights of a training, with all it takes to use them.

    Attributes:
        folder: the files.
        config: what config.json says.
        model: a torch module with the best weights, in eval mode.
        tokenizer: text to token ids and back.
        test: figures on the test text, where training was given one.
    """

    def __init__(self, folder: RunFolder, config: dict[str, Any], model: nn.Module, tokenizer: Tokenizer) -> None:
        self.folder, self.config, self.model, self.tokenizer = folder, config, model, tokenizer
        self.test: dict[str, Any] | None = None

    def evaluate(self, *sources: str | PathLike[str], progress: Progress | None = None) -> dict[str, Any]:
        """Measure the model on text, every token, the state carried through the whole of it.

        Args:
            *sources: files, gzipped files, folders, or "-" for standard input.
            progress: told the tokens done, and those in all.

        Returns:
            tokens, loss (nats a token), perplexity and, at level char, bits_per_character.

        Raises:
            DataError: text that cannot be read.
        """
        ids = token_ids(open_text(sources), self.tokenizer)
        # as many steps at once as logits fit 16 MB
        steps = max(1, min(1000, 4_000_000 // self.tokenizer.size))
        pieces = single_stream(ids, steps, self.tokenizer.eos_id)
        return evaluate_language_model(self.model, pieces, len(ids), level=self.tokenizer.level, progress=progress)

    def generate(
        self, prompt: str = "", length: int = 200, *, stop: str | None = None, **options: Any
    ) -> Iterator[str]:
        """Write on from a prompt.

        Args:
            prompt: where to go on from; empty means the beginning of a text.
            length: tokens to write.
            stop: end once this text has been written.
            **options: greedy, temperature, top_k, top_p, seed; see `SamplingOptions`.

        Returns:
            An iterator over pieces of text, as they are written: `"".join(...)` is all of it, without the prompt.

        Raises:
            DataError: the prompt has characters (at level word: words) that the model does not know; names them.
            ConfigError: an option out of range.
        """
        if unknown := self.tokenizer.unknown(prompt):
            what = "words" if self.tokenizer.level == "word" else "characters"
            raise DataError(
                f"prompt: {what} that the model has never seen: {', '.join(map(repr, unknown))}; leave them out"
            )
        eos, unk = self.tokenizer.eos_id, self.tokenizer.unk_id
        never = {unk} if unk is not None else set()
        if self.tokenizer.level == "char":
            never.add(eos)
        ids = [eos, *self.tokenizer.encode(prompt)]
        tokens = sample(self.model, ids, length, SamplingOptions(**options), never=never)
        return _until(stop, self._text(prompt, tokens))

    def _text(self, prompt: str, tokens: Iterator[int]) -> Iterator[str]:
        decoder = self.tokenizer.decoder(after=prompt)
        for token in tokens:
            if piece := decoder.step(token):
                yield piece
        if rest := decoder.finish():
            yield rest

    def __repr__(self) -> str:
        return f"Run({str(self.folder.path)!r}, task={self.config['task']!r})"


def load(path: str | PathLike[str]) -> Run:
    """Open a run folder. No code from the folder is run.

    Args:
        path: what `out` was in training.

    Raises:
        RunFolderError: missing, damaged, or of a task this version does not know.
        ConfigError: it uses a cell that is not registered.
    """
    folder = RunFolder(str(path))
    config = folder.read_config()
    if config.get("task") != "lm":
        raise RunFolderError(f"{folder.path}: a run of task {config.get('task')!r}, which this version does not know")
    try:
        tokenizer = Tokenizer.load(folder.tokenizer)
    except DataError as error:
        raise RunFolderError(str(error)) from None
    try:
        model = language_model.build(config, folder.config)
    except ConfigError as error:
        raise ConfigError(f"{folder.config}: {error}") from None
    folder.load_weights(model)
    return Run(folder, config, model.eval(), tokenizer)


def _until(stop: str | None, pieces: Iterator[str]) -> Iterator[str]:
    """Pass pieces on up to and including the stop text."""
    written = ""
    for piece in pieces:
        if stop:
            written += piece
            at = written.find(stop)
            if at >= 0:
                end = at + len(stop) - (len(written) - len(piece))
                yield piece[:end]
                return
            written = written[-len(stop) :] if len(stop) > 1 else ""
        yield piece
