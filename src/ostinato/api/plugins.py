"""Cells of the user's own, from Python files or modules that register them."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from ostinato.core.errors import ConfigError


def import_plugins(plugins: Iterable[str]) -> None:
    """Import each plugin once, so that what it registers is there.

    Args:
        plugins: paths of Python files, or names of installed modules.

    Raises:
        ConfigError: one is missing or fails to import; says why.
    """
    for plugin in plugins:
        try:
            if plugin.endswith(".py"):
                _import_file(Path(plugin))
            else:
                importlib.import_module(plugin)
        except Exception as error:  # a plugin may raise anything
            raise ConfigError(f"--plugin {plugin}: cannot be imported: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> None:
    name = f"ostinato_plugin_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path.resolve()):
        return
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise ImportError(f"expected a Python file, got {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: pickle and dataclasses look a module up by name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
