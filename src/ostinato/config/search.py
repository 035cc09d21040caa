"""Options of `ostinato search`."""

from typing import Annotated, ClassVar, Literal

import tyro
from tyro.conf import Positional

from ostinato.config.checks import above_zero, at_least, valid_seed
from ostinato.config.fields import Flag, Json
from ostinato.config.options import options
from ostinato.core.errors import ConfigError


@options
class Search:
    """Search for the options that train a task best: trials, each a training of its own, chosen by those before it.

    All that `ostinato train TASK` takes may be given as well: it is then the same in every trial. What is not given is
    drawn from the task's usual space, or from --space. A trial that does worse than the half of those before it, at
    the same point, is stopped. Each is a run folder in DIR/trials, which evaluate, predict and train --resume take;
    DIR/best is the best one.
    """

    COMMON: ClassVar[tuple[str, ...]] = ("out", "space", "trials", "trial_time", "parallel")

    task: Annotated[Positional[str], tyro.conf.arg(metavar="TASK", help="What train takes: lm, classify, and so on.")]

    words: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="DATA [--TRAIN-OPTIONS]", help="What train takes behind the task's name."),
    ]

    out: Annotated[str, tyro.conf.arg(metavar="DIR", help="Folder of the search.")]

    space: Annotated[str | None, tyro.conf.arg(metavar="FILE.toml")] = None
    """What to draw, in place of the task's usual space: a line for each option, with its range, its choices, or one
    value for all trials; the guide on search shows some."""

    trials: int = 20
    """Trainings to make."""

    trial_time: float | None = None
    """Seconds for each, as train's --time-limit. By default each trains as long as train would."""

    time_limit: float | None = None
    """Seconds for the search: no trial begins afterwards, and those under way are stopped and kept."""

    parallel: int = 1
    """Trials side by side; the processor's cores are shared out."""

    metric: str = "loss"
    """The figure of validations to search by, as metrics.jsonl has them without valid_: the lower, the better, but for
    accuracy, F1 and R2."""

    sampler: Literal["tpe", "random"] = "tpe"
    """How trials are drawn: by what the ones before have shown (tree-structured Parzen estimators), or at random."""

    prune: bool = True
    """Whether to stop trials that do worse than the half of those before them."""

    storage: Annotated[str | None, tyro.conf.arg(metavar="URL")] = None
    """Where trials are written down: an SQL database, such as sqlite:///FILE or postgresql://HOST/NAME, which several
    machines may share: searches whose DIR has the same name are one. By default a journal in DIR."""

    seed: int = 1
    """Of the sampler; each training has train's own --seed."""

    resume: Flag = False
    """Go on with a search that was interrupted; trials that were under way go on where they were."""

    overwrite: Flag = False
    """Replace a search that is there."""

    json: Json = False

    def __post_init__(self) -> None:
        at_least(trials=(self.trials, 1), parallel=(self.parallel, 1))
        above_zero(trial_time=self.trial_time, time_limit=self.time_limit)
        valid_seed(self.seed)
        if self.resume and self.overwrite:
            raise ConfigError("--resume goes on with a search, --overwrite replaces it: give one of them")
