"""torchrecurrent's cells as cells of this package, each beside its own layer there.

    pip install torchrecurrent --no-deps
    ostinato bench cells --plugin scripts/torchrecurrent_plugin.py --only torchrecurrent_nas --peers torchrecurrent

All of them: `--only $(python scripts/torchrecurrent_plugin.py)`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ostinato.core.registry import register
from tests.cells_of_others.torchrecurrent import CELLS

NAMES = {f"torchrecurrent_{layer.lower()}": layer for layer in CELLS}

for name, layer in NAMES.items():
    register(type(layer, (CELLS[layer],), {"name": name, "torchrecurrent": layer}))

if __name__ == "__main__":
    print(*NAMES)
