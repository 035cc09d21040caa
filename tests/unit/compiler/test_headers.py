"""The native cells that are committed are those of the cells' equations."""

import re
from dataclasses import dataclass
from typing import ClassVar

import pytest

from ostinato.compiler.headers import FOLDER, NotFusedError, header, texts
from ostinato.compiler.layout import Layout
from ostinato.compiler.pieces import in_pieces
from ostinato.compiler.trace import trace
from ostinato.core.registry import lookup


def test_what_is_committed_is_what_make_kernels_writes():
    made = texts()
    for name, text in made.items():
        assert FOLDER.joinpath(name).read_text(encoding="utf-8") == text, f"{name}: make kernels"
    committed = {path.name for path in FOLDER.glob("*.h") if "Made by `make kernels`" in path.read_text()}
    assert committed == made.keys()


@pytest.mark.parametrize("size", [(3, 5), (64, 32)])
@pytest.mark.parametrize("name", ["lstm", "gru", "lstm_peephole"])
def test_the_code_is_the_same_for_every_size(name, size, monkeypatch):
    monkeypatch.setattr("ostinato.compiler.headers._INPUTS", size[0])
    monkeypatch.setattr("ostinato.compiler.headers._UNITS", size[1])
    assert header(lookup(name)) == FOLDER.joinpath(f"{name}.h").read_text(encoding="utf-8")


def test_a_cell_of_another_form_is_refused():
    with pytest.raises(NotFusedError, match=r"gru_reset_before is not of the form of cells/cell\.h"):
        header(lookup("gru_reset_before"))


def test_a_cell_with_other_operands_is_refused():
    @dataclass(frozen=True)
    class Exchanged(lookup("lstm_peephole")):
        name: ClassVar[str] = "exchanged"

        def parameters(self):
            return dict(reversed(super().parameters().items()))

    with pytest.raises(NotFusedError):
        header(Exchanged)


def additions(name: str) -> int:
    """Multiplications of a step's way back, one of a fused sum among them."""
    layout = Layout(in_pieces(trace(lookup(name)(3, 5))))
    ends = layout.back.ends
    return sum(layout.graph[at].op == "mul" for at in layout.graph.needed(ends) if at not in layout.computed)


def test_products_of_the_way_back_share_what_they_have_in_common():
    assert additions("lstm") == 11
    assert additions("gru") == 8
    assert not re.search(
        r"\bv\d*\b", header(lookup("lstm")).split("struct")[1]
    )  # every value has a name that says something
