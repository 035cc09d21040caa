"""Checks that every task's options share."""

from ostinato.config.tasks.contract import TrainOptions
from ostinato.core.errors import ConfigError


def one_of_resume_and_overwrite(options: TrainOptions) -> None:
    """Check that not both are given.

    Raises:
        ConfigError: they are.
    """
    if options.resume and options.overwrite:
        raise ConfigError("--resume goes on with a run and --overwrite deletes it: give one of them")
