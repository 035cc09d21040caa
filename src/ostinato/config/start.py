"""How a training begins, the same for every task."""

from dataclasses import dataclass

from ostinato.config.fields import From, Overwrite, Plugins, Resume
from ostinato.core.errors import ConfigError


@dataclass(frozen=True)
class StartOptions:
    """What it begins with, what becomes of a run that is there already, and what is imported first."""

    from_run: From = None
    resume: Resume = False
    overwrite: Overwrite = False
    plugin: Plugins = ()

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise ConfigError("--resume goes on with a run and --overwrite deletes it: give one of them")
