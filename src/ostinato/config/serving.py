"""Options of `ostinato serve` and `ostinato studio`, and what a server allows at most."""

import ipaddress
from typing import Annotated

import tyro
from tyro.conf import Positional

from ostinato.config.checks import above_zero, at_least, at_most, valid_threads
from ostinato.config.fields import File, Flag, Json, Plugins
from ostinato.config.options import field, options
from ostinato.core.errors import ConfigError


@options
class ServeLimits:
    """What a client may ask for at most; beyond it the answer says so (413, 422, 429 or 503)."""

    limit_body: float = 16.0
    """Megabytes of a request's body. Beyond: 413."""

    limit_inputs: int = 1_000
    """Inputs that one request has answered. Beyond: 413."""

    limit_length: int = 100_000
    """Tokens that one request writes, and characters of its prompt or of an input, or steps of it. Beyond: 422."""

    limit_sessions: int = 20_000
    """Sessions that are kept at once. Beyond: 429."""

    limit_active: int = 256
    """Sequences that are written side by side, a row each of one batch. More wait."""

    limit_queue: int = 512
    """Requests that wait for their turn. Beyond: 429."""

    limit_time: float = 300.0
    """Seconds from a request to the end of its answer. Beyond: 503; a stream ends with the error."""

    limit_connections: int = 4_000
    """Connections at once. Beyond: 503."""

    limit_idle: float = 3_600.0
    """Seconds after which a session that nobody asks is forgotten."""

    limit_slow: float = 30.0
    """Seconds that a client may take to send a request's body, or to take the next piece of an answer."""

    def __post_init__(self) -> None:
        above_zero(limit_body=self.limit_body, limit_time=self.limit_time, limit_idle=self.limit_idle)
        above_zero(limit_slow=self.limit_slow)
        at_least(limit_inputs=(self.limit_inputs, 1), limit_length=(self.limit_length, 1))
        at_least(limit_sessions=(self.limit_sessions, 0), limit_queue=(self.limit_queue, 0))
        at_least(limit_active=(self.limit_active, 1), limit_connections=(self.limit_connections, 1))
        at_most(limit_active=(self.limit_active, 4_096))

    @property
    def body_bytes(self) -> int:
        """`limit_body` in bytes."""
        return int(self.limit_body * 1_000_000)


@options
class ServeSettings:
    """How a server meets the net."""

    token_file: File = None
    """File with the token that requests must bear (Authorization: Bearer TOKEN), readable by its owner alone. By
    default none is asked for."""

    allow_origin: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ORIGIN")] = ()
    """Pages of other origins that may use the server, such as https://example.org. By default none."""

    limits: ServeLimits = field(default_factory=ServeLimits)

    def __post_init__(self) -> None:
        for origin in self.allow_origin:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                raise ConfigError(f"--allow-origin: expected such as https://example.org, got {origin!r}")


@options
class Serve:
    """Serve trained runs by HTTP and WebSocket: answers, texts as they are written, and sessions that keep a state."""

    runs: Annotated[
        Positional[tuple[str, ...]],
        tyro.conf.arg(metavar="RUN", help="Run folders that train made; each goes by its folder's name."),
    ]

    host: str = "127.0.0.1"
    """Address to listen at. One that other machines reach needs --token-file, or --insecure."""

    port: int = 8300
    """Port to listen at; 0 takes one that is free."""

    insecure: Flag = False
    """Listen where other machines reach, without a token."""

    net: ServeSettings = field(default_factory=ServeSettings)

    threads: Annotated[
        int, tyro.conf.arg(help="Threads to compute with. 0: all processors but one, which the connections have.")
    ] = 0
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        valid_threads(threads=self.threads)
        at_least(port=(self.port, 0))
        at_most(port=(self.port, 65_535))
        if not self.insecure and self.net.token_file is None and not is_loopback(self.host):
            raise ConfigError(
                f"--host {self.host}: other machines reach it: give --token-file, or --insecure where whoever "
                "reaches it may use it"
            )


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, that no other reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@options
class Studio:
    """Open the studio in the browser: train, try and watch runs, and see what goes on inside them."""

    runs: Annotated[Positional[str], tyro.conf.arg(metavar="RUNS_DIR")] = "runs"
    """Where the runs are, and where new ones go."""

    port: int | None = None
    """Port to listen at, on this machine alone. By default 8400, or the next that is free."""

    plugin: Plugins = ()

    no_browser: Flag = False
    """Print the address without opening it."""

    json: Json = False

    def __post_init__(self) -> None:
        at_least(port=(self.port, 0))
        at_most(port=(self.port or 0, 65_535))
