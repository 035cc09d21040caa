"""`ostinato studio`."""

from pathlib import Path

from ostinato.cli.output import Output
from ostinato.config.studio import Studio
from ostinato.core.errors import ConfigError


def studio(options: Studio, output: Output) -> None:
    """Serve the page until told to end."""
    try:
        from ostinato.studio.server import serve
    except ImportError:
        raise ConfigError("the studio needs more packages: pip install 'ostinato[serve]'") from None

    runs = Path(options.runs)
    if runs.exists() and not runs.is_dir():
        raise ConfigError(f"{runs}: expected a folder of run folders, found a file")

    def show(address: str) -> None:
        output.text(f"the studio is at {address}; Ctrl-C ends it, trainings go on")

    serve(runs, options.port, show, browse=not options.no_browser, plugins=options.plugin)
