"""`import ostinato` is cheap: torch comes with the first layer."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).parents[2]

HEAVY = ("torch", "numpy", "tokenizers", "lightning_fabric", "matplotlib")


@pytest.mark.parametrize("statement", ["import ostinato", "import ostinato.config", "import ostinato; dir(ostinato)"])
def test_nothing_heavy_is_imported(statement):
    script = f"import sys; {statement}; print([m for m in {HEAVY} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_public_name_is_there_and_others_are_named():
    script = (
        "import ostinato\n"
        "for name in ('Recurrent', 'LSTM', 'GRUCell', 'KeptState', 'register'): getattr(ostinato, name)\n"
        "try: ostinato.LSTMM\n"
        "except AttributeError as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "no attribute 'LSTMM'; it has Batch, Client, GRU, GRUCell" in found.stdout


def test_examples_import_public_names_alone():
    documented = (REPOSITORY / "docs/api/index.md").read_text()
    for example in sorted((REPOSITORY / "examples").glob("*.py")):
        content = example.read_text()
        tree = ast.parse(content)
        found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
        used = [f"{node.module}.{name.name}" for node in found for name in node.names]
        used += [f"ostinato.{node.attr}" for node in ast.walk(tree) if isinstance(node, ast.Attribute)
                 and isinstance(node.value, ast.Name) and node.value.id == "ostinato"]  # fmt: skip
        assert not [n for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names
                    if n.name.startswith("ostinato.")]  # fmt: skip
        for name in (name for name in used if name.startswith("ostinato.") and not name.startswith("ostinato.__")):
            assert f"`{name}`" in documented, f"{example.name} uses {name}, which docs/api/index.md does not name"


def test_documented_names_are_there():
    lines = (REPOSITORY / "docs/api/index.md").read_text().splitlines()
    names = [line.split("`")[1] for line in lines if line.startswith("| [`")]
    assert len(names) > 20
    for name in names:
        module, _, last = name.rpartition(".")
        assert hasattr(import_module(module), last), name


def test_no_module_imports_itself_by_way_of_others():
    """import-linter looks at the children of each package; here a package's own file counts as well."""
    graph = grimp.build_graph("ostinato")
    left = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    while True:
        imported = set().union(*left.values())
        between = {module: them & left.keys() for module, them in left.items() if module in imported}
        between = {module: them for module, them in between.items() if them}
        if between == left:
            break
        left = between
    assert not left, left
