"""Runs modules of the page by Node.js, where there is one."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ostinato.studio.app import FILES

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js to run the page's modules")


def evaluated(folder: Path, part: str, script: str, **values: Any) -> Any:
    """What a script prints as JSON.

    Args:
        folder: for a copy of the page: Node.js takes .js for modules where a package.json says so.
        part: the folder of the page with the modules, such as "learn".
        script: imports them from "./NAME.js"; `//GIVEN` is where the values shall stand.
        **values: by the names that the script has for them.
    """
    there = folder / "page"
    if not there.exists():
        shutil.copytree(FILES, there, ignore=shutil.ignore_patterns("vendor"))
        (there / "package.json").write_text('{"type": "module"}')
    given = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items())
    (there / part / "script.js").write_text(f"{script}\n".replace("//GIVEN", given))
    done = subprocess.run(["node", "script.js"], cwd=there / part, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
