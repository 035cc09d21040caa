"""What this installation has, and who runs each cell."""

import platform
from importlib.metadata import version
from typing import Any

import torch

import ostinato.cells  # noqa: F401  registers those of the package
from ostinato.api.results import CellInfo, ElsewhereInfo, Info, Product
from ostinato.cells.contract import Cell
from ostinato.compiler import build
from ostinato.config.cells import DEFAULT_CELL
from ostinato.core.accelerator import available
from ostinato.core.registry import registered
from ostinato.kernels import Request, eight_bits, find, matmul
from ostinato.native import library as native_library
from ostinato.native import openmp

_PLAIN = Request(torch.float32, "cpu", steps=1)
_CASES: dict[str, dict[str, Any]] = {
    "lengths": {"lengths": True},
    "recurrent dropout or zoneout": {"noise": True},
    "the state of every step": {"keep_states": True},
    "bfloat16": {"dtype": torch.bfloat16},
    "float64": {"dtype": torch.float64},
}


_THERE: dict[str, Any] = {"device": "cuda", "steps": 100}
#: The same where torch can use a GPU of NVIDIA's: torch's own layer is cuDNN's there.
_ON_A_GPU: dict[str, dict[str, Any]] = {
    "on a GPU": _THERE,
    "on a GPU with lengths, recurrent dropout, zoneout or resets": _THERE | {"lengths": True},
}


def _options(cell: Cell, first: Cell) -> str:
    """What sets a configuration apart from the plain one, sizes aside."""
    plain = vars(first)
    changed = {n: v for n, v in vars(cell).items() if v != plain[n] and n not in ("input_size", "hidden_size")}
    return ", ".join(f"{name}={value}" for name, value in changed.items())


def describe() -> Info:
    """Versions, threads, native kernels, and for each registered cell who runs it."""
    packages = ("ostinato", "torch", "tokenizers")
    library = native_library.load()
    isa = None if isinstance(library, str) else library.isa
    cells = []
    asked = _CASES | (_ON_A_GPU if "cuda" in available() else {})
    for name, kind in registered().items():
        first, *others = kind.examples()
        plain = find(first, _PLAIN)
        cases = {when: find(first, _PLAIN._replace(**change)) for when, change in asked.items()}
        cases |= {_options(cell, first): find(cell, _PLAIN) for cell in others}
        elsewhere = [
            ElsewhereInfo(when=when, kernel=choice.name, reason=choice.refused)
            for when, choice in cases.items()
            if choice.name != plain.name
        ]
        is_native = plain.name == "native" and not isinstance(library, str)
        runs = CellInfo(
            name=name,
            kernel=plain.name,
            isa=isa if is_native else None,
            precision=_products(library, name) if is_native else {},
            reason=plain.reason,
            elsewhere=elsewhere,
            paper=kind.paper,
        )
        cells.append(runs)
    return Info(
        versions={"python": platform.python_version(), **{package: version(package) for package in packages}},
        threads=torch.get_num_threads(),
        accelerators=available(),
        native=library if isinstance(library, str) else library.isa,
        precision=_products(library),
        int8=None if isinstance(library, str) else library.int8,
        int8_cells=[name for name, kind in registered().items() if eight_bits.refuses(kind.examples()[0]) is None],
        output_layers=matmul.choice(),
        openmp="none: one thread" if (team := openmp.runtime()) is None else team.path,
        compiler=found if isinstance(found := build.compiler(), str) else found.version,
        compiled=str(build.cache_folder()),
        cells=cells,
    )


_PRODUCTS: dict[str, Product] = {"highest": "float32", "high": "bf16x3", "medium": "bf16"}


def _products(library: native_library.NativeLibrary | str, cell: str = DEFAULT_CELL) -> dict[str, Product]:
    if isinstance(library, str):
        return {}
    return {wanted: _PRODUCTS[library.precision(wanted, cell)] for wanted in native_library.PRECISIONS}
