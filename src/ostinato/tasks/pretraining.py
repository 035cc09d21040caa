"""A training that comes before another: a language model of text without labels, which the other begins with."""

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from ostinato.config.cells import DEFAULT_CELL
from ostinato.config.start import StartOptions
from ostinato.config.text import TextOptions
from ostinato.config.training import DEFAULT_EPOCHS, TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.data.text.reading import open_text
from ostinato.tasks.lm.options import LmModelOptions, TrainLm
from ostinato.tasks.sequence_options import TrainSequences

#: Characters that the language model reads at least where --pretrain-epochs does not say, in 1 to 20 passes.
SEEN = 40_000_000

#: Share of --time-limit that the language model gets.
TIME_SHARE = 0.5

#: Share set to zero in the language model's training: of much text little has to be.
DROPOUT = 0.1


@runtime_checkable
class Pretrains(Protocol):
    """A task whose training can begin with one of text alone."""

    def pretraining(self, options: Any) -> tuple[Any, Any] | None:
        """The options of the training that comes before, and those of the task's own, which begins with it; None where
        none is asked for.

        Raises:
            ConfigError: options that do not go with it.
        """


def pretraining(options: TrainSequences) -> tuple[TrainLm, TrainSequences] | None:
    """A language model of --unlabelled, beside the run, of the same cell and sizes."""
    if not options.unlabelled:
        return None
    out = f"{options.out}.lm"
    if options.start.from_run not in (None, out):
        raise ConfigError(
            "--unlabelled trains a language model to begin with, and --from names a run to begin with: give one of them"
        )
    level = "bpe" if options.tokens.level == "auto" else options.tokens.level
    model, training = options.model, options.training
    cell, embed = model.cell or DEFAULT_CELL, model.embed or model.hidden
    shared: dict[str, Any] = {
        "layers": model.layers,
        "hidden": model.hidden,
        "embed": embed,
        "cell_options": model.cell_options,
    }
    epochs = options.pretrain_epochs
    if epochs is None and training.time_limit is None:
        epochs = min(DEFAULT_EPOCHS, max(1, round(SEEN / open_text(options.unlabelled).characters)))
    before = TrainLm(
        text=options.unlabelled,
        out=out,
        tokens=TextOptions(level=level, vocab_size=options.tokens.vocab_size),
        model=LmModelOptions(cell=cell, dropout=DROPOUT, **shared),
        training=TrainingOptions(
            epochs=epochs,
            time_limit=None if training.time_limit is None else TIME_SHARE * training.time_limit,
            seed=training.seed,
            precision=training.precision,
            threads=training.threads,
            devices=training.devices,
        ),
        reading=options.reading,
        start=StartOptions(resume=options.start.resume, overwrite=options.start.overwrite, plugin=options.start.plugin),
    )
    after = replace(
        options,
        tokens=replace(options.tokens, level=level),
        model=replace(model, cell=cell, embed=embed),
        start=replace(options.start, from_run=out),
    )
    return before, after
