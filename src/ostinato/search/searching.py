"""From the options of a search to its result."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from ostinato.config.search import Search
from ostinato.core.errors import ConfigError, RunFolderError, unknown_name
from ostinato.core.files import replace_text
from ostinato.core.results import builtins
from ostinato.search.results import Searched, SearchTrial, TrialKind
from ostinato.search.space import Space, space_of, usual_space
from ostinato.search.trials import command, said
from ostinato.tasks import TRAIN_OPTIONS

#: What a search is, in its folder.
_SEARCH = "search.json"

#: Options that --resume need not repeat.
_REMEMBERED = ("metric", "seed", "sampler", "trials", "trial_time", "parallel", "prune", "storage")

#: What Optuna calls a trial's state, and what is said of it.
_STATES: Mapping[str, TrialKind] = {
    "COMPLETE": "complete",
    "PRUNED": "pruned",
    "FAIL": "failed",
}

#: Trials that there have to be before it is said which option matters.
_TELLING = 4


class _Kept(msgspec.Struct, kw_only=True):
    """What a search remembers of how it was begun; `identity` tells its trials from those of others that share a
    storage."""

    identity: str
    task: str
    words: list[str]
    given: dict[str, Any]
    space: dict[str, Any]
    options: dict[str, Any]


def search(
    task: str, *sources: str | PathLike[str], out: str | PathLike[str], space: str | None = None, **options: Any
) -> Searched:
    """Search for the options that train a task best; what `ostinato search` does.

    Args:
        task: as `train` has it.
        *sources: files, as `train` takes them.
        out: folder of the search.
        space: TOML file of what to draw; by default the task's usual space.
        **options: those of `ostinato search` (trials, trial_time, time_limit, parallel, metric, sampler, prune,
            storage, seed, resume, overwrite), and of `train`, which are then the same in all trials.

    Raises:
        ConfigError: an option that cannot be used; Optuna is missing; all trials fail.
        RunFolderError: `out` is in the way.
    """
    own = {name: options.pop(name) for name in list(options) if name in Search.__dataclass_fields__}
    words = [fspath(one) for one in sources] + said(options)
    return run(Search(task=task, words=tuple(words), out=fspath(out), space=space, **own), options)


def run(options: Search, given: Mapping[str, Any], tell: Callable[[str], None] = lambda line: None) -> Searched:
    """Carry a search out.

    Args:
        options: of the command; `words` are those of the training, the same in all trials.
        given: the training's options among these, by plain name.
        tell: what is shown.
    """
    started = time.monotonic()
    try:
        from ostinato.search.study import Study
    except ImportError:
        raise ConfigError("search needs Optuna: pip install 'ostinato[search]'") from None
    if options.task not in TRAIN_OPTIONS:
        raise ConfigError(unknown_name("unknown task", options.task, TRAIN_OPTIONS))
    kept = _claim(options, given)
    options = _as_begun(options, kept)
    threads = max(1, (os.cpu_count() or 1) // options.parallel)
    study = Study(options, kept.identity, Space.of(kept.space), kept.words, threads, started, tell)
    study.run()
    found = _result(study, kept, started)
    _draw(found)
    return found


def _claim(options: Search, given: Mapping[str, Any]) -> _Kept:
    """The folder, and what a search in it is: as it was begun, where it goes on."""
    folder, file = Path(options.out), Path(options.out) / _SEARCH
    if file.is_file() and options.resume:
        try:
            kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
        except (OSError, msgspec.MsgspecError) as error:
            raise RunFolderError(f"{file}: damaged: {error}") from None
        if kept.task != options.task or (options.words and list(options.words) != kept.words):
            raise ConfigError(
                f"--resume: the search in {folder} trains {kept.task} {' '.join(kept.words)}; leave other options out"
            )
        if options.space is not None:
            raise ConfigError(f"--resume: the search in {folder} has its space; leave --space out")
        return kept
    if folder.exists() and any(folder.iterdir()) and not (options.overwrite and file.is_file()):
        advice = "give --resume or --overwrite" if file.is_file() else "it holds no search; choose another"
        raise RunFolderError(f"{folder} is there already: {advice}")
    if not options.words:
        raise ConfigError(f"expected what train {options.task} takes: its data")
    kind = TRAIN_OPTIONS[options.task]
    space = usual_space(kind, given) if options.space is None else space_of(options.space, kind)
    space = space.without(set(given))
    if not space.drawn:
        raise ConfigError("nothing is left to draw: all options of the space are given")
    kept = _Kept(
        identity=uuid4().hex, task=options.task, words=list(options.words), given=dict(given), space=space.kept(),
        options={name: getattr(options, name) for name in _REMEMBERED},
    )  # fmt: skip
    if options.overwrite and folder.exists():  # now that all else is right
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(file, msgspec.json.format(msgspec.json.encode(kept)).decode())
    return kept


def _as_begun(options: Search, kept: _Kept) -> Search:
    """With what a search that goes on need not be told again: what is not given is as it was.

    Raises:
        ConfigError: another metric.
    """
    usual = {item.name: item.default for item in fields(Search)}
    left = {name: value for name, value in kept.options.items() if getattr(options, name) == usual[name]}
    found = replace(options, **left)
    if found.metric != kept.options["metric"]:
        raise ConfigError(f"--resume: the search in {options.out} is by {kept.options['metric']}; leave --metric out")
    return found


def _result(study: Any, kept: _Kept, started: float) -> Searched:
    options, best = study.options, study.best()
    trials = [_trial(study, one) for one in study.optuna.get_trials(deepcopy=False)]
    best_trial = None if best is None else next(one for one in trials if one.number == best.number)
    longer = None
    if best_trial is not None:
        longer = command(kept.task, kept.words, best_trial.options | kept.space["fixed"], f"{options.out}-best")
    return Searched(
        out=options.out, task=kept.task, metric=options.metric, higher=study.higher, trials=trials,
        importance=_importance(study), best=best_trial, command=longer, seconds=round(time.monotonic() - started, 2),
    )  # fmt: skip


def _trial(study: Any, one: Any) -> SearchTrial:
    state: TrialKind = _STATES.get(one.state.name, "under way")
    trial = SearchTrial(number=one.number, run=str(study.place(one.number)), state=state, options=dict(one.params))
    for name, attribute in (("value", "best"), ("seconds", "seconds"), ("error", "error")):
        if attribute in one.user_attrs and (name != "error" or state == "failed"):
            setattr(trial, name, one.user_attrs[attribute])
    return trial


def _importance(study: Any) -> dict[str, float]:
    """Share that each option explains, by PED-ANOVA (Watanabe et al. 2023), the largest first."""
    import warnings

    import optuna

    done = [one for one in study.optuna.get_trials(deepcopy=False) if one.state.name == "COMPLETE"]
    if len(done) < _TELLING:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(
                study.optuna, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
            )
        except (ValueError, RuntimeError, ZeroDivisionError):  # all alike
            return {}
    return {name: round(float(value), 4) for name, value in found.items()}


def _draw(found: Searched) -> None:
    """Table and pictures in the folder."""
    folder = Path(found.out)
    replace_text(folder / "trials.json", msgspec.json.format(msgspec.json.encode(builtins(found))).decode())
    replace_text(folder / "trials.md", _table(found))
    from ostinato.plots.style import available, pictures_may_fail

    if available() and any(one.state == "complete" for one in found.trials):
        from ostinato.plots.search import draw_search

        with pictures_may_fail():
            draw_search(builtins(found), folder / "search.png")


def _table(found: Searched) -> str:
    names = sorted({name for one in found.trials for name in one.options})
    sign = -1 if found.higher else 1
    done = sorted(
        (one for one in found.trials if isinstance(one.value, float)), key=lambda one: sign * float(one.value or 0)
    )
    lines = [
        f"# {len(found.trials)} trials of {found.task}, by {found.metric}",
        "",
        f"| trial | {found.metric} | state | {' | '.join(names)} | seconds |",
        f"|---|---|---|{'---|' * len(names)}---|",
    ]
    for one in done:
        values = [_cell(one.options.get(name)) for name in names]
        lines.append(f"| {one.number} | {one.value:.5g} | {one.state} | {' | '.join(values)} | {one.seconds} |")
    if found.command:
        lines += ["", "Trains the best one anew, for as long as you like:", "", f"    {found.command}"]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
