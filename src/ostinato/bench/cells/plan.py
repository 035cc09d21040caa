"""What is compared: every cell with who else has its equations."""

from collections.abc import Sequence

from ostinato.bench.groups import Group, Row, Work
from ostinato.core.errors import ConfigError, unknown_name

ROWS = tuple(map(Row.parse, ("N32T200H128", "N64T100H256", "N1T100H128", "N16T1000H64", "N8T4000H256")))
#: In the order of the tables. The first two are this package's, and do not count as peers.
PEERS = ("native", "compiled", "loop", "torch", "jax", "torchrecurrent", "sru", "flashrnn", "torch-compile")
OWN = PEERS[:2]
#: Measured where it is asked for by name, in tables of its own, short sequences first: it takes minutes a row.
COMPILED = "torch-compile"
ON_REQUEST = (COMPILED,)
#: Measured forward alone too, and against whom: where a target asks for it, or a peer has no way back.
FORWARD = {"slstm": ("loop",), "sru": ("loop", "sru")}
WORKS = ("cells", "compilation", "bandwidth", "resets")


def groups(cells: Sequence[str], rows: Sequence[Row], peers: Sequence[str], compile_limit: float) -> list[Group]:
    """A comparison for each cell, all registered ones where none are named.

    Args:
        cells: names.
        rows: sizes, ROWS where there are none.
        peers: those that are wanted; all but ON_REQUEST where there are none.
        compile_limit: seconds that `torch.compile` has for a row.

    Raises:
        ConfigError: an unknown cell.
    """
    found = []
    for cell in names(cells):
        known = peers_of(cell, peers)
        works: list[tuple[str, Work, Sequence[str]]] = [(cell, "training", [p for p in known if p not in ON_REQUEST])]
        if cell in FORWARD:
            works.append((f"{cell}-forward", "inference", [p for p in FORWARD[cell] if not peers or p in peers]))
        if COMPILED in known:
            works.append((f"{cell}-{COMPILED}", "training", [COMPILED]))
        for name, work, sides in works:
            if sides:
                counted = tuple(peer for peer in sides if peer not in OWN)
                sizes = tuple(rows) or tuple(sorted(ROWS, key=lambda row: row.T) if COMPILED in sides else ROWS)
                found.append(Group(name, cell, tuple(sides), counted, work, sizes=sizes, compile_limit=compile_limit))
    return found


def names(cells: Sequence[str]) -> list[str]:
    """The cells of these names, all registered ones where there are none.

    Raises:
        ConfigError: an unknown one.
    """
    from ostinato import cells as _  # noqa: F401  registers those of the package
    from ostinato.core.registry import registered

    known = registered()
    if unknown := [cell for cell in cells if cell not in known]:
        raise ConfigError(unknown_name("--only: unknown cell", unknown[0], known))
    return list(cells or known)


def peers_of(cell: str, wanted: Sequence[str]) -> tuple[str, ...]:
    """Who has a cell's equations, of those that are wanted."""
    from ostinato.bench.sides.libraries import FLASHRNN, layer_of_torchrecurrent
    from ostinato.cells import form
    from ostinato.core.registry import lookup
    from ostinato.native import library

    own_kernel = not isinstance(library.holding(form.kernel(lookup(cell), False)), str)
    has = {
        "native": own_kernel,
        "compiled": own_kernel,  # the others run compiled as they are
        "loop": True,
        "torch": bool(form.torch_mode(lookup(cell))),
        "jax": True,
        "torchrecurrent": layer_of_torchrecurrent(cell) is not None,
        "sru": cell == "sru",
        "flashrnn": cell in FLASHRNN,
        "torch-compile": True,
    }
    peers = wanted or [peer for peer in PEERS if peer not in ON_REQUEST]
    return tuple(peer for peer in PEERS if has[peer] and peer in peers)


def scans(cells: Sequence[str]) -> list[str]:
    """Those of the cells without a recurrent product."""
    from ostinato.cells import form
    from ostinato.core.registry import build

    return [cell for cell in cells if not form.feeds_back(build(cell, 4, 4))]
