"""Cells of the user's own, from Python files or modules that register them."""

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from ostinato.core.errors import ConfigError


def import_plugins(plugins: Iterable[str]) -> None:
    """Import each plugin once, so that what it registers is there.

    Args:
        plugins: paths of Python files, or names of installed modules.

    Raises:
        ConfigError: one is missing or fails to import; says why.
    """
    for plugin in plugins:
        import_plugin(plugin, f"--plugin {plugin}")


def import_plugin(plugin: str, label: str) -> ModuleType:
    """Import a plugin, once.

    Args:
        plugin: a path or a module's name.
        label: what errors call it.

    Raises:
        ConfigError: it is missing or fails to import; says why, and at which of its lines.
    """
    try:
        return _import_file(Path(plugin)) if plugin.endswith(".py") else importlib.import_module(plugin)
    except Exception as error:  # a plugin may raise anything
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(plugin)]
        at = f" (line {lines[-1]})" if lines else ""
        raise ConfigError(f"{label}: cannot be imported: {type(error).__name__}: {error}{at}") from error


def _import_file(path: Path) -> ModuleType:
    name = f"ostinato_plugin_{path.stem}"
    loaded = sys.modules.get(name)
    if loaded is not None and loaded.__file__ == str(path.resolve()):
        return loaded
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
    return module
