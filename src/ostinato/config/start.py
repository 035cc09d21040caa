"""How a training begins, the same for every task."""

from typing import Annotated

import tyro

from ostinato.config.checks import at_least, share
from ostinato.config.fields import Flag, From, Overwrite, Plugins, Resume
from ostinato.config.options import options
from ostinato.core.errors import ConfigError


@options
class StartOptions:
    """What it begins with, what becomes of a run that is there already, and what is imported first."""

    from_run: From = None
    layer_rates: float = 1.0
    """With --from: what the learning rate is divided by from each layer to the one below it (discriminative rates), so
    that what was learned before changes little; 2.6 is common after much pretraining. 1 is one rate for all."""

    unfreeze: float = 0.0
    """With --from: share of the training after which each layer begins to learn too, the output first and then
    downwards (gradual unfreezing), such as 0.1. 0 lets all learn from the start."""

    vectors: Annotated[str | None, tyro.conf.arg(metavar="FILE[,FILE]")] = None
    """Word vectors that the embedding begins with, its width among them: GloVe's text format, word2vec's text or binary
    format, gzipped or not. Of two vocabularies, as translate has them, a file for each, or one for both. Words that
    the file lacks begin with random numbers. For --level word."""

    freeze_vectors: Flag = False
    """Do not train the embedding that begins with --vectors."""

    find_lr: Flag = False
    """Do not train: try learning rates for a hundred steps, from far too low to far too high, say which one the losses
    speak for, and draw them. Nothing is written but the picture; --out may be left out."""

    picture: Annotated[str | None, tyro.conf.arg(metavar="FILE.png")] = None
    """With --find-lr: where to draw the losses over the rates, PNG or SVG. By default find-lr-TASK.png, here."""

    resume: Resume = False
    overwrite: Overwrite = False
    plugin: Plugins = ()

    def __post_init__(self) -> None:
        at_least(layer_rates=(self.layer_rates, 1))
        share(unfreeze=self.unfreeze)
        if self.from_run is None and (self.layer_rates != 1 or self.unfreeze):
            option = "unfreeze" if self.unfreeze else "layer-rates"
            raise ConfigError(f"--{option} is for layers that another run has trained: give --from RUN as well")
        if self.from_run is not None and self.vectors is not None:
            raise ConfigError("--from and --vectors both say what the embedding begins with: give one of them")
        if self.freeze_vectors and self.vectors is None:
            raise ConfigError("--freeze-vectors is for an embedding that begins with --vectors: give FILE as well")
        if self.picture is not None and not self.find_lr:
            raise ConfigError("--picture is what --find-lr draws: give --find-lr as well, or leave it out")
        if self.picture is not None and not self.picture.lower().endswith((".png", ".svg")):
            raise ConfigError(f"--picture {self.picture}: expected a name that ends in .png or .svg")
        if self.find_lr and self.resume:
            raise ConfigError("--find-lr tries rates for a training's start, and --resume goes on with one: give one")
        if self.resume and self.overwrite:
            raise ConfigError("--resume goes on with a run and --overwrite deletes it: give one of them")
