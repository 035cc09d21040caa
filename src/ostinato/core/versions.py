"""What is installed, as far as a run depends on it."""

import platform
from importlib.metadata import version


def versions() -> dict[str, str]:
    """Of Python and of the packages that a run depends on."""
    packages = ("ostinato", "torch", "numpy", "tokenizers")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
