"""What is measured: rows (sizes) and groups (who is compared with whom, doing what)."""

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ostinato.core.errors import ConfigError


class Row(NamedTuple):
    """Sizes of a problem: sequences, time steps, input features, units."""

    N: int
    T: int
    D: int
    H: int

    def __str__(self) -> str:
        features = "" if self.D == self.H else f" D{self.D}"
        return f"N{self.N} T{self.T}{features} H{self.H}"

    @classmethod
    def parse(cls, text: str) -> "Row":
        """Read "N20T35H100" or "N128 T10 D1 H32".

        Raises:
            ConfigError: it is something else, or a size is 0.
        """
        found = re.fullmatch(r"N(\d+)T(\d+)(?:D(\d+))?H(\d+)", text.replace(" ", ""))
        if not found or not all(int(size) for size in found.groups() if size):
            raise ConfigError(f"--rows {text!r}: expected sizes from 1 up as in N20T35H100 or N128T10D1H32")
        N, T, D, H = found.groups()
        return cls(int(N), int(T), int(D or H), int(H))


ROWS = tuple(
    map(
        Row.parse,
        (
            "N20T35H100",
            "N20T35H650",
            "N1T100H128",
            "N32T200H128",
            "N64T100H256",
            "N128T10D1H32",
            "N16T1000H64",
            "N256T50H512",
            "N1T1H256",
        ),
    )
)

_EIGHT_BITS = tuple(map(Row.parse, ("N1T1H128", "N1T1H256", "N1T1H512", "N1T1H1024", "N16T1H512")))

Work = Literal["training", "inference", "step"]


@dataclass(frozen=True)
class Group:
    """One comparison over many rows.

    Attributes:
        name: what `--only` calls it.
        cell: a registered cell.
        peers: names of the sides it is compared with.
        against: those of them that count, the fastest of them being the measure; the others are shown.
        work: training is forward and backward with all gradients; inference forward over the whole sequence; step one
            step of a stream.
        options: of the layer, such as zoneout.
        precision: of this package's side, as torch.set_float32_matmul_precision; of a step, "int8" too: weights of 8
            bits.
        dtype: of this package's side.
        ragged: lengths drawn uniformly from 1 to T.
        isa: instruction set forced on all sides.
        sizes: rows to measure; by default ROWS, as far as they go with the work.
        compile_limit: seconds that `torch.compile` has for a row.
    """

    name: str
    cell: str
    peers: tuple[str, ...]
    against: tuple[str, ...]
    work: Work = "training"
    options: dict[str, Any] = field(default_factory=dict)
    precision: str = "highest"
    dtype: str = "float32"
    ragged: bool = False
    isa: str | None = None
    sizes: tuple[Row, ...] = ()
    compile_limit: float = 60.0

    def rows(self) -> tuple[Row, ...]:
        """What it is measured on."""
        if self.sizes:
            return self.sizes
        if self.work == "step":
            return tuple(row for row in ROWS if row.T == 1)
        if self.ragged:
            return tuple(row for row in ROWS if row.T > 1 and row.N > 1)
        if self.work == "inference":
            return tuple(row for row in ROWS if row.T > 1)
        return ROWS


def _beyond_torch(name: str, cell: str, **options: Any) -> Group:
    return Group(name, cell, ("loop",), ("loop",), options=options)


_FAST = ("torch", "jax")
_BF16 = ("torch-bf16", "torch")
_STEP = ("torch", "torch-cell", "onnxruntime")
_INT8 = ("float32", "onnxruntime-int8", "onnxruntime", "torch")
_INFER = ("torch", "onnxruntime", "jax")

GROUPS = (
    Group("lstm", "lstm", (*_FAST, "loop"), _FAST),
    Group("gru", "gru", _FAST, _FAST),
    Group("rnn", "rnn", _FAST, _FAST),
    Group("lstm-high", "lstm", ("torch",), ("torch",), precision="high"),
    Group("lstm-medium", "lstm", _BF16, ("torch-bf16",), precision="medium"),
    Group("lstm-bf16", "lstm", _BF16, ("torch-bf16",), dtype="bfloat16"),
    Group("lstm-avx2", "lstm", _FAST, ("torch",), isa="avx2"),
    _beyond_torch("lstm_layer_norm", "lstm_layer_norm"),
    _beyond_torch("lstm-zoneout", "lstm", zoneout=0.1),
    _beyond_torch("lstm_peephole", "lstm_peephole"),
    _beyond_torch("gru_reset_before", "gru_reset_before"),
    Group("ragged", "lstm", ("torch", "torch-padded"), ("torch",), ragged=True),
    Group("inference-lstm", "lstm", _INFER, ("torch", "onnxruntime"), "inference"),
    Group("inference-gru", "gru", _INFER, ("torch", "onnxruntime"), "inference"),
    Group("step", "lstm", _STEP, _STEP, "step"),
    Group("int8", "lstm", _INT8, ("float32",), "step", precision="int8", sizes=_EIGHT_BITS),
)


def groups_by_name(names: tuple[str, ...]) -> list[Group]:
    """The groups of these names, all of GROUPS where there are none; a registered cell is a group against the loop.

    Raises:
        ConfigError: an unknown name.
    """
    from ostinato import cells  # noqa: F401  registers those of the package
    from ostinato.core.registry import registered

    known = {group.name: group for group in GROUPS}
    known |= {cell: _beyond_torch(cell, cell) for cell in registered() if cell not in known}
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"--only {unknown[0]}: no such group; there are {', '.join(known)}")
    return [known[name] for name in names] if names else list(GROUPS)


def as_json(group: Group) -> dict[str, Any]:
    """For another process."""
    return dataclasses.asdict(group)


def from_json(given: dict[str, Any]) -> Group:
    """As `as_json` wrote it."""
    sizes = tuple(Row(*each) for each in given["sizes"])
    return Group(**given | {name: tuple(given[name]) for name in ("peers", "against")} | {"sizes": sizes})
