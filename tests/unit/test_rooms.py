"""Knowledge stands once: outside of their rooms nothing goes by a task's or a cell's name."""

import ast
from pathlib import Path

import ostinato
from ostinato.config.cells import CELL_NAMES
from ostinato.tasks import OPTIONS

PACKAGE = Path(ostinato.__file__).parent

#: Where a task is named outside of `tasks/`, and why.
NAME_TASKS = {
    "api/importing.py": "which models other programs' files hold",
    "bench/language/": "times language models",
    "cli/demo.py": "trains a language model",
    "config/bench.py": "the command `bench lm`",
    "interop/": "which models other programs' files hold",
    "studio/columns.py": "which tables are which task's",
    "studio/guessing.py": "which files are which task's",
    "tasks/pretraining.py": "a language model comes before",
}

#: Words that are a task's name and something else besides: a column of captions, of tags.
COLUMNS = {"caption", "tag"}

#: Where a cell is named outside of `cells/` and the native sources, and why.
NAME_CELLS = {
    "byhand/": "networks to read, each written anew",
    "bench/": "times some cells, and torch's layers beside them",
    "config/cells.py": "the defaults, which help tells without torch",
    "interop/": "what other programs call their cells, their gates and biases",
    "layers/drop_in.py": "torch.nn's own arguments",
    "tasks/lm/presets.py": "a recipe is of a cell",
}


def literals(file):
    """Texts in a module that are no docstrings, and what it imports from."""
    tree = ast.parse(file.read_text())
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in statements:
            yield node.value
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def naming(names, allowed, *own):
    """Modules that name one, outside of their own rooms and of those allowed."""
    files = [(file, file.relative_to(PACKAGE).as_posix()) for file in sorted(PACKAGE.rglob("*.py"))]
    found = {place: sorted(names & set(literals(file))) for file, place in files if not place.startswith(own)}
    named = {place for place in found if found[place]}
    assert not [start for start in allowed if not any(place.startswith(start) for place in named)], (
        "names none any more"
    )
    return {place: found[place] for place in named if not place.startswith(tuple(allowed))}


def test_no_room_but_tasks_knows_a_task_by_name():
    modules = {
        f"ostinato.tasks.{path.stem}.{file.stem}" for path in PACKAGE.glob("tasks/*/") for file in path.glob("*.py")
    }
    assert not naming({*OPTIONS} - COLUMNS | modules, NAME_TASKS, *(f"tasks/{task}/" for task in OPTIONS))


def test_no_room_but_cells_knows_a_cell_by_name():
    assert not naming({*CELL_NAMES, "proj_size"}, NAME_CELLS, "cells/", "native/")
