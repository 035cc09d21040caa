"""The runtime imports what it uses, and not more: that is what makes it quick to start."""

import subprocess
import sys

import numpy as np
import pytest

from ostinato.runtime.archive import write
from ostinato.runtime.loading import KINDS

#: What parts of the package import elsewhere and a model needs not to start: the heaviest of each kind.
HEAVY = {
    "bz2", "csv", "decimal", "difflib", "gzip", "hashlib", "h5py", "lzma", "msgspec", "narwhals", "pathlib", "random",
    "rich", "safetensors", "shlex", "shutil", "statistics", "tempfile", "tokenizers", "tyro", "urllib.parse",
    "zipfile", "zoneinfo",
}  # fmt: skip
D, H = 3, 4
CELL = {"cell": "gru"}
MODELS = {
    "layer": {"model": CELL, "options": {}},
    "tagger": {
        "model": CELL, "tags": ["O"], "words": {"a": 1}, "characters": ["a"], "columns": [],
        "max_length": 9, "spelled": 9,
    },
    "forecaster": {
        "model": {**CELL, "head": "point", "autoregressive": False}, "series": {}, "levels": [], "quantiles": [],
        "certain": True,
    },
    "language model": {
        "model": {**CELL, "embedding_size": D}, "level": "word",
        "tokenizer": '{"model": {"vocab": {"<eos>": 0, "<unk>": 1}}, "added_tokens": []}',
    },
}  # fmt: skip


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def layer(prefix: str) -> dict[str, np.ndarray]:
    return {f"{prefix}weight_ih_l0": ones(3 * H, D), f"{prefix}weight_hh_l0": ones(3 * H, H)}


ARRAYS = {
    "layer": layer(""),
    "tagger": {"embedding.weight": ones(2, D), "output.weight": ones(1, H), **layer("recurrent.")},
    "forecaster": {"weights.weight": ones(2, H), "correction.weight": ones(1, H)}
    | {**layer("encoder."), **layer("decoder.")},
    "language model": {"embedding.weight": ones(2, D), "decoder.weight": ones(2, H), "decoder.bias": ones(2)}
    | layer("recurrent."),
}


def modules_after(code: str) -> set[str]:
    """Names of the modules of a process without torch that ran this."""
    script = f"import sys\nsys.modules['torch'] = None\nimport numpy\nbefore = {{*sys.modules}}\n{code}\n"
    script += "print(*({*sys.modules} - before))"  # what NumPy and the environment's own files import is not ours
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def cells_in(modules: set[str]) -> set[str]:
    aside = {"form", "contract", "activations"}
    return {name.removeprefix("ostinato.cells.") for name in modules if name.startswith("ostinato.cells.")} - aside


def test_a_layer_needs_its_own_cell_alone(tmp_path):
    weights = {"weight_ih_l0": (3 * 4, 2), "weight_hh_l0": (3 * 4, 4)}
    np.savez(tmp_path / "weights.npz", **{name: np.ones(shape, np.float32) for name, shape in weights.items()})
    modules = modules_after(
        "import numpy as np\n"
        "from ostinato.runtime import Recurrent\n"
        f"Recurrent('gru', dict(np.load({str(tmp_path / 'weights.npz')!r})))"
    )
    assert cells_in(modules) == {"gru"}
    assert not modules & {"msgspec", "tyro", "difflib", "safetensors", "tokenizers", "rich", "narwhals"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_of_a_whole_model_imports_nothing_heavy(kind):
    module, _ = KINDS[kind]
    assert not modules_after(f"import ostinato.runtime.{module}") & HEAVY


@pytest.mark.parametrize("kind", MODELS)
def test_a_whole_model_starts_without_what_it_may_need_later(kind, tmp_path):
    write(tmp_path / "model.npz", {"kind": kind, **MODELS[kind]}, ARRAYS[kind])
    code = f"from ostinato import runtime\nprint(type(runtime.load({str(tmp_path / 'model.npz')!r})).__name__)"
    modules = modules_after(code)
    assert modules & {"Recurrent", "Tagger", "Forecaster", "LanguageModel"}  # what was printed first
    assert not modules & HEAVY
