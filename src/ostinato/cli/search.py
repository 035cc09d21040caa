"""`ostinato search`."""

from typing import Any

from ostinato.cli.arguments import given_in, parse
from ostinato.cli.output import Output
from ostinato.config.search import Search
from ostinato.core.errors import ConfigError, unknown_name
from ostinato.tasks import TRAIN_OPTIONS


def search(options: Search, output: Output) -> None:
    """Carry the command out."""
    from ostinato.config.merge import flatten
    from ostinato.search.searching import run

    if options.task not in TRAIN_OPTIONS:
        raise ConfigError(unknown_name("unknown task", options.task, TRAIN_OPTIONS))
    given: dict[str, Any] = {}
    if options.words:  # as train would read them, so that what is wrong shows before anything begins
        read = flatten(parse(["train", options.task, *options.words, "--out", f"{options.out}/trials/0000"]))
        given = {name: read[name] for name in given_in(options.words) if name in read}
    try:
        found = run(options, given, output.text)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"trials under way are saved; go on with --out {options.out} --resume") from None
    done = [one for one in found.trials if one.state == "complete"]
    output.text(f"{found.out}: {len(found.trials)} trials, {len(done)} of them to their end")
    if found.best is not None:
        output.figures({f"best_{found.metric}": found.best.value})
        output.text(f"best run: {found.out}/best, trial {found.best.number}")
        for name, share in found.importance.items():
            output.text(f"  {name:<16}explains {share:.0%}")
        output.text(f"trains it anew, for as long as you like:\n  {found.command}")
    output.result(found)
