"""The loop of a search: trials are drawn, trained, watched, stopped early, written down."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from ostinato.checkpoint import RunFolder
from ostinato.config.search import Search
from ostinato.core.errors import ConfigError, RunFolderError
from ostinato.search.course import PLACES, higher_is_better
from ostinato.search.space import Space
from ostinato.search.trials import Training, wait_for_strangers, words_of

#: Seconds between looks at the trainings.
_LOOK = 0.25

#: Share of the trials that are drawn at random before others are drawn by them, and the most of them.
_AT_RANDOM, _MOST_AT_RANDOM = 1 / 4, 10

#: Validations of a trial by the clock.
_LOOKS = 10

#: Trials before any is stopped early.
_BEFORE_PRUNING = 4

#: Called with a line on what has happened.
Told = Callable[[str], None]


class Study:
    """A search under way.

    Args:
        options: of the command.
        identity: of this search among those that share a storage.
        space: what is drawn.
        words: of the training's command line that all trials have.
        threads: that each training may compute with.
        started: `time.monotonic()` when the command began.
        tell: what is shown.
    """

    def __init__(
        self,
        options: Search,
        identity: str,
        space: Space,
        words: Sequence[str],
        threads: int,
        started: float,
        tell: Told,
    ) -> None:
        self.options, self._identity, self.space, self.words = options, identity, space, words
        self._threads, self._started, self._tell = threads, started, tell
        self.folder, self.higher = Path(options.out), higher_is_better(options.metric)
        self.optuna = self._open()

    def _open(self) -> Any:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        first = min(_MOST_AT_RANDOM, max(2, round(self.options.trials * _AT_RANDOM)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Optuna calls experimental
            sampler = (
                optuna.samplers.RandomSampler(seed=self.options.seed)
                if self.options.sampler == "random"
                else optuna.samplers.TPESampler(
                    seed=self.options.seed, n_startup_trials=first, multivariate=True,
                    constant_liar=self.options.parallel > 1,
                )
            )  # fmt: skip
        pruner = (
            optuna.pruners.MedianPruner(n_startup_trials=_BEFORE_PRUNING, n_warmup_steps=PLACES // 5)
            if self.options.prune
            else optuna.pruners.NopPruner()
        )
        return optuna.create_study(
            storage=_storage(self.options),
            study_name=self.folder.resolve().name,
            direction="maximize" if self.higher else "minimize",
            sampler=sampler,
            pruner=pruner,
            load_if_exists=True,
        )

    def run(self) -> None:
        """All trials that are left.

        Raises:
            KeyboardInterrupt: Ctrl-C, after the trainings have been stopped.
            ConfigError: all trainings fail.
        """
        mine = (one for one in self._of(TrialState.RUNNING) if one.user_attrs.get("search") == self._identity)
        left = [Trial(self.optuna, one._trial_id) for one in mine]
        if left:
            self._tell(f"{len(left)} trials were under way, and go on")
        under_way: dict[int, tuple[Trial, Training]] = {}
        try:
            while True:
                while len(under_way) < self.options.parallel and (trial := self._next(left)) is not None:
                    under_way[trial.number] = (trial, self._begin(trial))
                if not under_way:
                    return
                time.sleep(_LOOK)
                over = self._over()
                for number, (trial, training) in list(under_way.items()):
                    if self._look(trial, training, over):
                        del under_way[number]
                self._require_some_to_work()
        finally:
            for _, training in under_way.values():
                training.stop()

    def _over(self) -> bool:
        limit = self.options.time_limit
        return limit is not None and time.monotonic() - self._started >= limit

    def _next(self, left: list[Trial]) -> Trial | None:
        if self._over():
            return None
        if left:
            return left.pop(0)
        if len(self.optuna.get_trials(deepcopy=False)) >= self.options.trials:
            return None
        trial: Trial = self.optuna.ask()
        trial.set_user_attr("search", self._identity)
        return trial

    def place(self, number: int) -> Path:
        """The run folder of a trial."""
        return self.folder / "trials" / f"{number:04d}"

    def _begin(self, trial: Trial) -> Training:
        drawn = {name: dimension.draw(trial, name) for name, dimension in self.space.drawn.items()}
        run = self.place(trial.number)
        wait_for_strangers(run, self._tell)
        more = self._timed()
        if _begun(run):
            more.append("--resume")
        words = words_of(self.options.task, self.words, run, drawn | self.space.fixed, *more)
        shown = ", ".join(f"{name} {_short(value)}" for name, value in drawn.items())
        self._tell(f"trial {trial.number} of {self.options.trials}: {shown}")
        return Training(run, words, self.options.metric, self.options.trial_time, self._threads)

    def _timed(self) -> list[str]:
        """What a trial of so many seconds has on its command line: without looks on its way it could not be pruned."""
        if self.options.trial_time is None:
            return []
        asked = any(word.partition("=")[0] in ("--valid-every", "--valid-times") for word in self.words)
        looks = [] if asked or not self.options.prune else ["--valid-times", str(_LOOKS)]
        return ["--time-limit", f"{self.options.trial_time:g}", *looks]

    def _look(self, trial: Trial, training: Training, over: bool) -> bool:
        """Take note of how a training goes; whether the trial is over, or is left for another time."""
        ended = training.ended()
        for place, value in training.course.news(training.progress()):
            trial.report(value, place)
        if ended is None and trial.should_prune():
            training.stop()
            return self._tell_of(trial, training, TrialState.PRUNED)
        if ended is None and over:
            training.stop()
            self._tell(f"trial {trial.number}: the time is over; --resume goes on with it")
            return True
        if ended is None:
            return False
        if ended == 0:
            return self._tell_of(trial, training, TrialState.COMPLETE)
        trial.set_user_attr("error", training.last_words())
        return self._tell_of(trial, training, TrialState.FAIL)

    def _tell_of(self, trial: Trial, training: Training, state: TrialState) -> bool:
        training.course.news(None)
        best, metric = training.course.best, self.options.metric
        if state == TrialState.COMPLETE and best is None:
            known = ", ".join(sorted(training.course.known)) or "none"
            raise ConfigError(f"--metric {metric}: the validations have no such figure; there are {known}")
        trial.set_user_attr("seconds", round(time.monotonic() - training.began, 2))
        if best is not None:
            trial.set_user_attr("best", best)
        self.optuna.tell(trial, best if state == TrialState.COMPLETE else None, state=state)
        said = {TrialState.PRUNED: "stopped, it does worse than others", TrialState.FAIL: "failed"}.get(state, "")
        figure = "" if best is None else f"{metric} {best:.4g}"
        why = trial.user_attrs.get("error", "") if state == TrialState.FAIL else ""
        self._tell(f"trial {trial.number}: {', '.join(filter(None, (figure, said, why)))}")
        self._link_best()
        return True

    def _of(self, *states: TrialState) -> list[FrozenTrial]:
        found: list[FrozenTrial] = self.optuna.get_trials(deepcopy=False, states=states)
        return found

    def best(self) -> FrozenTrial | None:
        """The best trial that came to its end, where one did."""
        done = [one for one in self._of(TrialState.COMPLETE) if one.value is not None and math.isfinite(one.value)]
        if not done:
            return None
        return (max if self.higher else min)(done, key=lambda one: float(one.value or 0.0))

    def _link_best(self) -> None:
        best, link = self.best(), self.folder / "best"
        if best is None or not self.place(best.number).exists():  # another machine's, of those that share a storage
            return
        new = self.folder / "best.new"
        new.unlink(missing_ok=True)
        new.symlink_to(self.place(best.number).relative_to(self.folder))
        new.replace(link)

    def _require_some_to_work(self) -> None:
        failed = self._of(TrialState.FAIL)
        if len(failed) >= 3 and len(failed) == len(self.optuna.get_trials(deepcopy=False)):
            raise ConfigError(f"the first {len(failed)} trials failed: {failed[-1].user_attrs.get('error', '')}")


def _begun(run: Path) -> bool:
    """Whether a training has begun there."""
    try:
        return RunFolder(run).under_way.is_run()
    except RunFolderError:
        return False


def _storage(options: Search) -> Any:
    if options.storage is None:
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(str(Path(options.out) / "study.journal")))
    try:
        return optuna.storages.RDBStorage(options.storage)
    except Exception as error:  # whatever its driver raises
        first = str(error).strip().splitlines()[:1]
        raise ConfigError(f"--storage {options.storage}: cannot be opened: {''.join(first)}") from None


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
