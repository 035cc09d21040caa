"""Options that several commands have, each with its help: `out: Out`, `test: File = None`."""

from typing import Annotated, Literal

import tyro
from tyro.conf import Positional

Flag = tyro.conf.FlagCreatePairsOff[bool]  # --json, without a --no-json beside it

Json = Annotated[Flag, tyro.conf.arg(help="End standard output with one JSON object; all else goes to standard error.")]
Plugins = Annotated[
    tuple[str, ...],
    tyro.conf.arg(metavar="FILE.py", help="Python files, or modules, that register cells of your own."),
]
RunFolder = Annotated[Positional[str], tyro.conf.arg(metavar="RUN", help="Run folder that train made.")]
Threads = Annotated[int, tyro.conf.arg(help="Threads to compute with. 0 means torch's own choice.")]
Precision = Annotated[
    Literal["highest", "high", "medium"],
    tyro.conf.arg(help="Of matrix products, as torch.set_float32_matmul_precision."),
]
Accelerator = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    tyro.conf.arg(
        help="What computes: the processor, or a GPU of NVIDIA's (of AMD's by ROCm) or Apple's. auto is a GPU where "
        "torch can use one."
    ),
]
Beam = Annotated[int | None, tyro.conf.arg(metavar="K", help="Width of the beam search. 1 is greedy.")]

# of train
Out = Annotated[str, tyro.conf.arg(metavar="RUN", help="Folder to write the run to.")]
Column = Annotated[str | None, tyro.conf.arg(metavar="COL")]
Columns = Annotated[str | None, tyro.conf.arg(metavar="COL[,COL]")]
File = Annotated[str | None, tyro.conf.arg(metavar="FILE")]
Config = Annotated[
    str | None,
    tyro.conf.arg(metavar="FILE.toml", help="Options by name in a TOML file (hidden = 256); they override the preset."),
]
NoPreset = Annotated[str | None, tyro.conf.Suppress]  # of a task without presets
Resume = Annotated[
    Flag, tyro.conf.arg(help="Go on from the last checkpoint in --out; starts afresh where there is none.")
]
From = Annotated[
    str | None,
    tyro.conf.arg(
        name="from",
        metavar="RUN",
        help="Run whose weights to begin with. Of the same task: what it learned of its data (tokenizer, labels, "
        "scales) is taken over, and its model with its sizes. Of a language model (lm): its vocabulary, embedding "
        "and recurrent layers, where the task reads texts.",
    ),
]
Overwrite = Annotated[Flag, tyro.conf.arg(help="Replace what stands in --out.")]
