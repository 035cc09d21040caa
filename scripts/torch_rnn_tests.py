"""torch's own tests of recurrent layers, with the package's layers in the place of torch.nn's.

    python scripts/torch_rnn_tests.py ~/pytorch/test            # ours
    python scripts/torch_rnn_tests.py ~/pytorch/test --torch    # torch's own, to compare with

The folder is `test` of PyTorch's sources (Debian: `apt-get source pytorch`), of a version near to the torch that is
installed; it needs `pip install expecttest pytest`. Run are those tests of test_nn.py, test_modules.py and nn/ that
name a recurrent layer. Prints pytest's report, the count of each outcome, and with --names every test's.
"""

import argparse
import ast
import importlib.util
import inspect
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

NAMES = ("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell")
FILES = ("test_nn.py", "test_modules.py", "nn/test_pruning.py", "nn/test_load_state_dict.py")
MENTIONS = re.compile(r"RNN|LSTM|GRU|rnn_mod")


def substitute() -> None:
    """Put the package's layers where programs look for torch.nn's."""
    import ostinato

    for name in NAMES:
        for module in (torch.nn, torch.nn.modules, torch.nn.modules.rnn):
            setattr(module, name, getattr(ostinato, name))


def lend_helpers(tests: Path, files: Iterable[str]) -> None:
    """Give the helpers of the torch that is installed what the tests import besides: the sources may be of another
    version, whose helpers lie beside them."""
    for name in files:
        for node in ast.walk(ast.parse((tests / name).read_text())):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("torch.testing._internal."):
                continue
            ours = importlib.import_module(node.module)
            if absent := [alias.name for alias in node.names if not hasattr(ours, alias.name)]:
                theirs = load(tests.resolve().parent / node.module.replace(".", "/"))
                for lacking in absent:
                    setattr(ours, lacking, getattr(theirs, lacking))


def load(path: Path) -> Any:
    """A module from a file."""
    spec = importlib.util.spec_from_file_location(f"{path.name}_of_the_sources", path.with_suffix(".py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Recurrent:
    """Of all that pytest collects, the tests of recurrent layers; and how each ended."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Keep a test whose name or body names a layer; a class's own name says nothing."""
        items[:] = [item for item in items if MENTIONS.search(item.name) or MENTIONS.search(body(item))]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Set-up, call and tear-down each report; the worst counts."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid] = report.outcome


def body(item: Any) -> str:
    """The source of a test, where it is the test's own: those of test_modules.py are named by their layer."""
    if item.path.name == "test_modules.py":
        return ""
    return inspect.getsource(inspect.unwrap(item.function))


def main() -> int:
    """Run the tests and print how they ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", type=Path, help="the folder `test` of PyTorch's sources")
    parser.add_argument("--torch", action="store_true", help="run torch.nn's own layers")
    parser.add_argument("--names", action="store_true", help="print each test and its outcome")
    given, rest = parser.parse_known_args()
    if missing := [name for name in FILES[:2] if not (given.tests / name).is_file()]:
        parser.error(f"{given.tests}: expected {', '.join(missing)} there: give the folder `test` of PyTorch's sources")
    os.environ.setdefault("PYTORCH_TESTING_DEVICE_ONLY_FOR", "cpu")
    sys.path.insert(0, str(given.tests))
    if not given.torch:
        substitute()
    files = [name for name in FILES if (given.tests / name).is_file()]
    lend_helpers(given.tests, files)
    found = Recurrent()
    quiet = ("-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", "ignore", f"--rootdir={given.tests}")
    pytest.main([*(str(given.tests / name) for name in files), "-c", os.devnull, *quiet, *rest], plugins=[found])
    if given.names:
        for name, outcome in sorted(found.outcomes.items()):
            print(outcome, name)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(found.outcomes.values()).items())))
    return int("failed" in found.outcomes.values())


if __name__ == "__main__":
    sys.exit(main())
