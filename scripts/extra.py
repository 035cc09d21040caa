"""Print what an extra of pyproject.toml consists of, as words for pip: `python scripts/extra.py slow`."""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
print(*(one.replace(" ", "") for one in project["optional-dependencies"][sys.argv[1]]))
