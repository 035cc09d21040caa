"""The studio's Inside in a notebook: `ostinato.view(run)`."""

import json
import re
import tempfile
import warnings
from base64 import b64encode
from collections.abc import Iterator
from functools import cache, partial
from os import PathLike
from pathlib import Path
from typing import Any

from ostinato.api.inspecting.live import Watches
from ostinato.api.run import Run, load
from ostinato.core.errors import ConfigError
from ostinato.inspection.live import Live
from ostinato.plots.gates import Panel, heat_maps
from ostinato.plots.style import available

_PAGE = Path(__file__).with_name("page")
_IMPORT = re.compile(r'^import (\w+|\{[^}]*\}) from "(\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (default )?((?:async )?function|class|const) (\w+)", re.MULTILINE)
#: Steps of a text that a picture has room for.
_DRAWN = 80


def view(run: Run | str | PathLike[str], *beside: Run | str | PathLike[str], text: str | None = None) -> Any:
    """Look inside runs in a notebook: type, and every gate, state and output of every unit moves with each character.

    Args:
        run: a trained run of a task that reads one sequence, or its folder.
        *beside: others that read the same text, side by side.
        text: to begin with; by default one that the task makes up.

    Returns:
        A widget, as Jupyter, VS Code, Colab and marimo show it. Where a notebook is only read, as on a page made of it,
        there is a picture of the first layer's gates instead, if matplotlib is installed.

    Raises:
        ConfigError: anywidget is not installed, or a run of another task.
        RunFolderError: no run folder.
    """
    try:
        import anywidget
        import traitlets
    except ImportError:
        raise ConfigError("ostinato.view needs a package more: pip install 'ostinato[notebook]'") from None
    runs = [load(one) if isinstance(one, str | PathLike) else one for one in (run, *beside)]
    watches = Watches(runs)

    widget: Any = _widget(anywidget.AnyWidget, traitlets)(names=[one.folder.path.name for one in runs], text=text)
    widget.still = partial(_still, runs[0], text)

    def answer(_: Any, message: Any, buffers: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is not seen of a cell its answer says
            for packed in watches.answers(json.dumps(message)):
                widget.send({}, buffers=[packed])

    widget.on_msg(answer)
    return widget


@cache
def _widget(base: Any, traitlets: Any) -> Any:
    """The widget's class, of anywidget's, with what the page is told of it."""
    shared = {
        "names": traitlets.List(traitlets.Unicode()).tag(sync=True),
        "text": traitlets.Unicode(None, allow_none=True).tag(sync=True),
        "language": traitlets.Unicode("").tag(sync=True),
    }

    def bundle(self: Any, **options: Any) -> Any:
        """What a notebook keeps of it: the widget, and a picture for those who have none."""
        shown = base._repr_mimebundle_(self, **options)
        picture = self.still() if shown else None
        return (shown[0] | {"image/png": b64encode(picture).decode()}, shown[1]) if picture else shown

    methods = {"_repr_mimebundle_": bundle}
    return type("Inside", (base,), {"_esm": joined("inside/notebook.js"), "_css": style(), **methods, **shared})


def _still(run: Run, text: str | None) -> bytes | None:
    """Gates and states of the first layer over the beginning of a text, as PNG; None where there is nothing to draw."""
    task: Any = run.task
    text = task.example(run) if text is None else text
    typed = task.typed(run, text)
    steps = min(len(typed.spans), _DRAWN)
    if not steps or not available():
        return None
    layer = Live(run.model).read(typed.upto(steps))[0]
    panels = [Panel(one.name, one.values[-steps:], bool((one.values < 0).any())) for one in layer.series]
    pieces = [text[begin:end] for begin, end in typed.spans[:steps]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "inside.png"
        title = f"{run.folder.path.name}: {layer.cell}, {layer.place.label}"
        heat_maps(panels, pieces, range(panels[0].values.shape[1]), [file], title=title)
        return file.read_bytes()


@cache
def joined(name: str) -> str:
    """A module of the page and all that it imports as one, for those who load no others."""
    modules = list(dict.fromkeys(_needed((_PAGE / name).resolve())))
    places = {module: f"m{number}" for number, module in enumerate(modules)}
    parts = [f"const {places[module]} = (() => {{\n{_closed(module, places)}}})();\n" for module in modules]
    return "".join(parts) + f"export default {places[modules[-1]]}.value;\n"


def _needed(module: Path) -> Iterator[Path]:
    """What a module imports, the deepest first, and itself."""
    for _, name in _IMPORT.findall(module.read_text(encoding="utf-8")):
        yield from _needed((module.parent / name).resolve())
    yield module


def _closed(module: Path, places: dict[Path, str]) -> str:
    """A module as the body of a function that gives what it exports; a default export is `value`."""

    def taken(match: re.Match[str]) -> str:
        what, place = match[1], places[(module.parent / match[2]).resolve()]
        return f"const {what} = {place};\n" if what.startswith("{") else f"const {{ value: {what} }} = {place};\n"

    code = _IMPORT.sub(taken, module.read_text(encoding="utf-8"))
    names = [match[3] for match in _EXPORT.finditer(code)]
    code = _EXPORT.sub(r"\2 \3", code)
    if "\nexport default " in f"\n{code}":
        code, names = re.sub(r"^export default ", "const value = ", code, flags=re.MULTILINE), [*names, "value"]
    return f"{code}return {{ {', '.join(names)} }};\n"


@cache
def style() -> str:
    """The page's rules for what is within the viewer's element alone: the notebook keeps its own look."""
    rules = "".join(
        (_PAGE / "style" / f"{name}.css").read_text(encoding="utf-8") for name in ("base", "parts", "inside")
    )
    return ".ostinato {\n" + re.sub(r"(?m)^(:root|html)", "&", rules) + "padding: 0.75rem;\n}\n"
