"""Options of the benchmarks."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from ostinato.config.checks import above_zero, at_least, valid_threads
from ostinato.config.fields import Json, Plugins
from ostinato.core.errors import ConfigError


@dataclass(frozen=True)
class BenchLayers:
    """Time the layers side by side with torch.nn, JAX, ONNX Runtime and the plain loop, after checking the numbers."""

    only: Annotated[tuple[str, ...], tyro.conf.arg(metavar="GROUP")] = ()
    """Groups to measure, such as lstm, gru, rnn, lstm-avx2, ragged, inference-lstm; a registered cell's name is a group
    too, against the loop. By default those in the guide."""

    rows: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ROW")] = ()
    """Sizes: batch, time steps, features (D, where they are not H), units, such as N20T35H100 or N128T10D1H32. By
    default the list in the guide."""

    peers: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PEER")] = ()
    """Peers to measure: torch, torch-bf16, torch-padded, torch-cell, jax, onnxruntime, loop. By default all that are
    installed."""

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


@dataclass(frozen=True)
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
