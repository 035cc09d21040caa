"""A preset of `ostinato train lm` as it is trained, on made-up words: what every side of a comparison starts from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ostinato.config.merge import build
from ostinato.core.batch import Batch
from ostinato.data.batching.streams import Streams, single_stream
from ostinato.data.text.tokenizer import TextCodec, Tokenizer, char_tokenizer, word_tokenizer
from ostinato.tasks import find
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.lm.options import TrainLm
from ostinato.tasks.lm.presets import LANGUAGE_MODEL
from ostinato.tasks.lm.task import PreparedText, evaluated_at_once

#: Pieces of an epoch: enough that the loop writes its lines as seldom as in a real one.
PIECES = 60
#: Characters of a character model.
CHARACTERS = 100
#: Tokens that are evaluated in one go, and generated (as many as `generate` writes by default).
EVALUATED, WRITTEN = 4_000, 200


@dataclass(frozen=True)
class Problem:
    """One preset, with weights and words that are the same for all sides.

    Attributes:
        preset: its name.
        options: as `ostinato train lm --preset` has them; pieces of random length are as long as their mean.
        prepared: tokenizer and token ids, drawn by Zipf's law.
        sizes: arguments of `LanguageModel`.
        model: has the weights that every side begins with.
    """

    preset: str
    options: TrainLm
    prepared: PreparedText
    sizes: dict[str, Any]
    model: LanguageModel

    @classmethod
    def make(cls, preset: str, **changes: Any) -> "Problem":
        """Always the same numbers for the same preset.

        Args:
            preset: a name in `LANGUAGE_MODEL`.
            **changes: options of `train lm` in place of the preset's.
        """
        flat = {"text": ["-"], "out": "-", **LANGUAGE_MODEL[preset], "random_steps": False, **changes}
        options = build(TrainLm, flat, "bench lm")
        tokenizer = _tokenizer(options)
        wanted = PIECES * options.training.steps * (options.training.batch or 64)
        ids = _words(tokenizer, max(wanted, EVALUATED))
        prepared = PreparedText(TextCodec(tokenizer), ids, ids[: wanted // 10], {}, None)
        task = find("lm")
        configuration = task.configuration(options, prepared)
        torch.manual_seed(1)
        model = task.build(configuration)
        assert isinstance(model, LanguageModel)
        return cls(preset, options, prepared, dict(configuration["model"]), model)

    @cached_property
    def batches(self) -> list[Batch]:
        """What training reads, in order."""
        training, prepared = self.options.training, self.prepared
        batch = training.batch_for(len(prepared.train))
        return list(Streams(prepared.train, batch, training.steps, prepared.codec.tokenizer.eos_id))

    @cached_property
    def one_stream(self) -> list[Batch]:
        """What evaluation reads: the first tokens as one stream, in pieces as long as `evaluate` takes them."""
        steps = evaluated_at_once(self.prepared.codec.tokenizer.size)
        return list(single_stream(self.prepared.train[:EVALUATED], steps, self.prepared.codec.tokenizer.eos_id))

    @property
    def prompt(self) -> list[int]:
        """What generation goes on from."""
        return [int(word) for word in self.prepared.train[:10]]

    @property
    def tokens(self) -> int:
        """Tokens of a training step."""
        return self.options.training.batch_for(len(self.prepared.train)) * self.options.training.steps


def _tokenizer(options: TrainLm) -> Tokenizer:
    limit = options.tokens.vocab_limit
    if options.tokens.level == "char":
        return Tokenizer(char_tokenizer([chr(0x100 + n) for n in range((limit or CHARACTERS) - 2)]))
    return Tokenizer(word_tokenizer([str(n) for n in range((limit or CHARACTERS) - 2)]))


def _words(tokenizer: Tokenizer, count: int) -> Any:
    """Ids whose frequencies fall as those of words do (Zipf, Mandelbrot): rows of the embedding recur as in a text."""
    share = 1 / (np.arange(tokenizer.size) + 2.7)
    drawn = np.random.default_rng(1).choice(tokenizer.size, count, p=share / share.sum())
    return drawn.astype(tokenizer.dtype)
