"""How a training begins, the same for every task."""

from dataclasses import dataclass

from ostinato.config.checks import at_least, share
from ostinato.config.fields import From, Overwrite, Plugins, Resume
from ostinato.core.errors import ConfigError


@dataclass(frozen=True)
class StartOptions:
    """What it begins with, what becomes of a run that is there already, and what is imported first."""

    from_run: From = None
    layer_rates: float = 1.0
    """With --from: what the learning rate is divided by from each layer to the one below it (discriminative rates), so
    that what was learned before changes little. 1 is one rate for all; from a run of another task 2.6 by default."""

    unfreeze: float = 0.0
    """With --from: share of the training after which each layer begins to learn too, the output first and then
    downwards (gradual unfreezing). 0 lets all learn from the start; from a run of another task 0.1 by default."""

    resume: Resume = False
    overwrite: Overwrite = False
    plugin: Plugins = ()

    def __post_init__(self) -> None:
        at_least(layer_rates=(self.layer_rates, 1))
        share(unfreeze=self.unfreeze)
        if self.from_run is None and (self.layer_rates != 1 or self.unfreeze):
            option = "unfreeze" if self.unfreeze else "layer-rates"
            raise ConfigError(f"--{option} is for layers that another run has trained: give --from RUN as well")
        if self.resume and self.overwrite:
            raise ConfigError("--resume goes on with a run and --overwrite deletes it: give one of them")
