"""One file a cell, the contract they follow, and `unroll`, the loop over time that every kernel is measured against.

Where torch is there, all are imported, so that it knows their states' classes; elsewhere each when it is asked for.
"""

import sys

from ostinato.config.cells import CELL_NAMES
from ostinato.core import registry

registry.announce({name: f"{__name__}.{name}" for name in CELL_NAMES})
if sys.modules.get("torch") is not None:
    registry.registered()
