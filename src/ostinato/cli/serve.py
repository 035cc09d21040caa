"""`ostinato serve` and `ostinato studio`."""

import sys
from pathlib import Path
from typing import Annotated

from ostinato.cli.output import Output
from ostinato.config.serving import Serve, Studio, is_loopback
from ostinato.core.errors import ConfigError
from ostinato.core.results import Result


class ServerEnded(Result):
    """Of `serve`, once it has ended."""

    address: Annotated[str, "where it could be reached"]
    runs: Annotated[list[str], "names of the runs that it served"]


def serve(options: Serve, output: Output) -> None:
    """Load runs, listen, and answer until told to end."""
    require_installed()
    import torch

    from ostinato.api.compute import compute_settings
    from ostinato.api.plugins import import_plugins
    from ostinato.serving import running
    from ostinato.serving.app import create_app
    from ostinato.serving.logs import log_to

    if not options.runs:
        raise ConfigError("RUN: expected at least one run folder")
    import_plugins(options.plugin)
    app = create_app(options.runs, options.net, local=is_loopback(options.host))
    app.state.serving.runs.load_all()  # what is wrong with a run is said before anybody asks
    opened = running.listen(options.host, options.port)
    log_to(sys.stderr)
    address = running.address_of(opened)
    with compute_settings(options.threads or max(1, torch.get_num_threads() - 1), "highest"):
        running.serve(app, opened, lambda: output.text(f"serving at {address}; Ctrl-C ends it"))
    output.result(ServerEnded(address=address, runs=[run.name for run in app.state.serving.runs]))


def require_installed() -> None:
    """That what a server takes is there.

    Raises:
        ConfigError: it is not.
    """
    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise ConfigError("a server needs more packages: pip install 'ostinato[serve]'") from None


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
