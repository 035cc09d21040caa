"""What this installation has, and who runs each cell."""

import platform
from importlib.metadata import version
from typing import Any

import torch

import ostinato.cells  # noqa: F401  registers those of the package
from ostinato.core import native_library
from ostinato.core.registry import registered
from ostinato.kernels import Request, find


def describe() -> dict[str, Any]:
    """versions, threads, native (kernels), precision, and for each registered cell name, kernel, reason and paper.

    `native` is the instruction set that the native kernels use here, or why there are none; `precision` says for each
    value of `torch.set_float32_matmul_precision` what their products are computed in.
    The reason is why nothing faster than the reference runs the cell; where a fused implementation does, it says what
    that one leaves to the reference.
    """
    packages = ("ostinato", "torch", "lightning-fabric", "tokenizers")
    cells = []
    for name, kind in registered().items():
        cell = kind.examples()[0]
        plain = find(cell, Request(torch.float32, "cpu", steps=1))
        reason = plain.reason
        if not reason:
            ragged = find(cell, Request(torch.float32, "cpu", steps=1, lengths=True))
            reason = f"with lengths: {ragged.name} ({ragged.reason})" if ragged.reason else ""
        cells.append({"name": name, "kernel": plain.name, "reason": reason, "paper": kind.paper})
    library = native_library.load()
    return {
        "versions": {"python": platform.python_version(), **{package: version(package) for package in packages}},
        "threads": torch.get_num_threads(),
        "native": library if isinstance(library, str) else library.isa,
        "precision": {} if isinstance(library, str) else _products(library),
        "cells": cells,
    }


_PRODUCTS = {"highest": "float32", "high": "bf16x3", "medium": "bf16"}


def _products(library: native_library.NativeLibrary) -> dict[str, str]:
    return {wanted: _PRODUCTS[library.precision(wanted)] for wanted in native_library.PRECISIONS}
