"""What `ostinato export` takes: the formats there are, and which options each has a use for."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Literal, TypeAlias

import tyro

from ostinato.config.checks import at_least
from ostinato.config.fields import Flag, Json, Plugins, RunFolder
from ostinato.config.options import options
from ostinato.core.errors import ConfigError

Format: TypeAlias = Literal["onnx", "torch", "numpy", "int8", "c"]

#: The options that a format has a use for, besides those that are every format's; `api/exporting` has a module each.
FORMATS: Mapping[Format, frozenset[str]] = {
    "onnx": frozenset({"opset", "sizes"}),
    "torch": frozenset(),
    "numpy": frozenset(),
    "int8": frozenset(),
    "c": frozenset({"weights", "name"}),
}

#: Of ONNX, that torch's exporter can write.
OLDEST_OPSET = 15

_COMMON = frozenset({"run", "to", "out", "overwrite", "plugin", "json"})


@options
class Export:
    """Write a trained model for programs that know nothing of Ostinato, and check what was written against the run.

    onnx: a graph of tokens or numbers, with lengths, to the model's answers, for ONNX Runtime and whatever else reads
    ONNX; batch and time are free. Vocabulary, labels and scales stand in its metadata. A model that writes, such as a
    translator, is two graphs: one that reads, and one that takes a step.
    torch: weights for torch.nn's own layers, and a script of torch.nn alone that loads them.
    numpy: one .npz file that `ostinato.runtime.load` makes a model of, texts and numbers to answers, where torch is not
    installed.

    int8: a run folder again, a quarter as large: whole numbers of 8 bits with a scale for each row, which recurrent
    layers and large linear ones multiply by as they are. Of it evaluate, predict, generate and serve give nearly the
    same answers, sooner where one sequence is read at a time.

    c: NAME.h and NAME.c in C99, which allocate nothing and need no library but the mathematics of C's, or none; for
    language models, classifiers, regression, taggers, forecasters and transcribers. The header says how they are used.
    """

    run: RunFolder

    to: Annotated[Format, tyro.conf.arg(help="The format.")]

    out: Annotated[
        str,
        tyro.conf.arg(metavar="PATH", help="Folder to write to; or a file, of a format that is one, by its ending."),
    ]

    opset: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Of onnx: the version of its operators, from 15 on. By default 20."""

    sizes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AXIS=N")] = ()
    """Of onnx: axes that shall have one size alone, for runtimes that take no other, such as N=1 T=20. By default all
    that can be are free."""

    weights: Literal["float32", "int8"] = "float32"
    """Of c: float32; or int8 with a scale for each row, a quarter of the bytes, whose answers are a little off."""

    name: str = "model"
    """Of c: begins the names of the files, and all names in them that others see."""

    overwrite: Annotated[Flag, tyro.conf.arg(help="Replace files of the same names in --out.")] = False
    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        if self.opset is not None:
            at_least(opset=(self.opset, OLDEST_OPSET))
        self.fixed()
        used = _COMMON | FORMATS.get(self.to, frozenset())
        for item in fields(self):
            if item.name not in used and getattr(self, item.name) != item.default:
                raise ConfigError(f"--{item.name.replace('_', '-')}: --to {self.to} has no use for it; leave it out")

    def fixed(self) -> dict[str, int]:
        """Sizes of the axes that are fixed.

        Raises:
            ConfigError: a word that is not AXIS=N, N a whole number of at least 1, or an axis twice.
        """
        found: dict[str, int] = {}
        for word in self.sizes:
            axis, _, size = word.partition("=")
            if not (axis and size.isascii() and size.isdecimal() and int(size)) or axis in found:
                raise ConfigError(
                    f"--sizes: expected axes, each once, and sizes from 1 on, such as N=1 T=20, got {word!r}"
                )
            found[axis] = int(size)
        return found
