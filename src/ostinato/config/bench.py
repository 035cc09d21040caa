"""Options of the benchmarks."""

from typing import Annotated, Any

import tyro

from ostinato.config.checks import above_zero, at_least, valid_threads
from ostinato.config.fields import Json, Plugins
from ostinato.config.options import options
from ostinato.core.errors import ConfigError


@options
class BenchLayers:
    """Time the layers side by side with torch.nn, JAX, ONNX Runtime and the plain loop, after checking the numbers."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="GROUP")] = ()
    """Groups to measure, such as lstm, gru, rnn, lstm-avx2, ragged, inference-lstm, int8; a registered cell's name is
    a group too, against the loop. By default those in the guide."""

    rows: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ROW")] = ()
    """Sizes: batch, time steps, features (D, where they are not H), units, such as N20T35H100 or N128T10D1H32. By
    default the list in the guide."""

    peers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PEER")] = ()
    """Peers to measure: torch, torch-bf16, torch-padded, torch-cell, jax, onnxruntime, onnxruntime-int8, float32 (this
    package's, beside weights of 8 bits), loop. By default all that are installed."""

    threads: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N")] = ()
    """Numbers of threads, one process and as many cores for each. By default 2, or 1 where there is one core."""

    seconds: float = 1.0
    """Time to spend on a row, at least; a slow row takes three turns for each side."""

    out: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for the tables (Markdown and JSON) and the picture. What stands there of the same machine is kept, but for
    what is measured anew."""

    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        above_zero(seconds=self.seconds)
        for count in self.threads:
            at_least(threads=(count, 1))


@options
class BenchCells:
    """Time every cell beside whoever else has its equations, what compiling it takes, and what memory allows."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="CELL")] = ()
    """Cells to measure. By default all that are registered, those of --plugin included."""

    rows: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ROW")] = ()
    """Sizes: batch, time steps, features (D, where they are not H), units, such as N16T1000H64. By default the five in
    the guide."""

    peers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PEER")] = ()
    """Sides to measure beside the layer: native and compiled (this package's kernels without the layer around them),
    loop, torch, jax, torchrecurrent, sru, flashrnn, torch-compile. By default all that are installed but
    torch-compile, which takes minutes a row."""

    work: Annotated[tuple[str, ...], tyro.conf.arg(metavar="WORK")] = ()
    """What to measure: cells (the tables), compilation, bandwidth, resets. By default all."""

    threads: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N")] = ()
    """Numbers of threads, one process and as many cores for each. By default 2, or 1 where there is one core."""

    seconds: float = 0.3
    """Time to spend on a row, at least; a side that takes more than half a second a call is called
    twice in all."""

    compile_limit: float = 120.0
    """Seconds that torch.compile has for a row, after which longer rows are not tried."""

    out: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for the tables, Markdown and JSON. What stands there of the same machine is kept, but for what is measured
    anew."""

    resume: bool = False
    """Measure only what --out does not have."""

    plugin: Plugins = ()
    json: Json = False

    def __post_init__(self) -> None:
        above_zero(seconds=self.seconds, compile_limit=self.compile_limit)
        for count in self.threads:
            at_least(threads=(count, 1))
        if self.resume and not self.out:
            raise ConfigError("--resume: expected --out DIR, the folder that has the rest")


@options
class BenchLm:
    """Time language models beside plain PyTorch and NumPy: training, generation, evaluation, large vocabularies."""

    presets: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PRESET")] = ()
    """Presets of train lm to measure. By default all."""

    work: Annotated[tuple[str, ...], tyro.conf.arg(metavar="WORK")] = ()
    """What to measure: training, generation, evaluation, vocabulary (time and memory of training against the size of
    the vocabulary). By default all, in this order."""

    peers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PEER")] = ()
    """Peers to measure: torch, torch-chunked (its loss in pieces), torch-cell (its cells instead of its layers),
    torch-bf16 (under autocast), numpy. By default all."""

    vocabulary: Annotated[tuple[int, ...], tyro.conf.arg(metavar="V")] = (10_000, 50_000, 250_000)
    """Sizes of the vocabulary."""

    threads: int = 0
    """Threads and cores. 0 means 2, or 1 where there is one core."""

    seconds: float = 12.0
    """Time to spend on a model at one kind of work, at least; a slow one takes three turns for each side."""

    time_limit: float = 540.0
    """Seconds after which nothing more is begun."""

    out: Annotated[str | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for the tables (Markdown and JSON) and the picture. What stands there of the same machine is kept, but for
    what is measured anew."""

    json: Json = False

    def __post_init__(self) -> None:
        above_zero(seconds=self.seconds, time_limit=self.time_limit)
        valid_threads(threads=self.threads)
        if not self.vocabulary:
            raise ConfigError("--vocabulary: expected one size or more")
        for size in self.vocabulary:
            at_least(vocabulary=(size, 2))


#: The benchmarks, by the names they have on the command line.
BENCHMARKS: dict[str, type[Any]] = {"layers": BenchLayers, "cells": BenchCells, "lm": BenchLm}
