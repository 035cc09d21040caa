"""One file a cell, the contract they follow, and `unroll`, the loop over time that every kernel is measured against."""

from importlib import import_module

from ostinato.config.cells import CELL_NAMES

for _name in CELL_NAMES:
    import_module(f"{__name__}.{_name}")
