"""How much memory there is, so that what cannot fit is refused before it is asked for."""

from pathlib import Path

from ostinato.core.errors import ConfigError

#: Share of the free memory that one thing may take.
SHARE = 0.9


def available() -> int | None:
    """Bytes that can be had without swapping, of the machine and of this process's group; None where none says so."""
    found = [amount for amount in (_of_machine(), _of_group()) if amount is not None]
    return min(found, default=None)


def require_room(need: float, what: str, remedy: str) -> None:
    """Check that something fits into memory.

    Args:
        need: bytes.
        what: takes them, as the message begins: "a model of 5 parameters".
        remedy: ends the message.

    Raises:
        ConfigError: it does not.
    """
    free = available()
    if free is not None and need > SHARE * free:
        raise ConfigError(f"{what} takes {_shown(need)} of memory, and {_shown(free)} are free; {remedy}")


def _shown(amount: float) -> str:
    return f"{amount / 2**30:,.1f} GiB" if amount >= 2**30 else f"{amount / 2**20:,.0f} MiB"


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _of_group() -> int | None:
    """What the control group leaves; a group without a limit says "max"."""
    try:
        limit, used = (int(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current"))
    except (OSError, ValueError):
        return None
    return max(0, limit - used)
