"""The native cells that are committed are those of the cells' equations."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from ostinato.compiler.headers import FOLDER, NoHeaderError, header, texts
from ostinato.compiler.layout import Layout
from ostinato.compiler.pieces import in_pieces
from ostinato.compiler.sized import NotSizedError, sized
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
def test_the_code_of_a_fused_cell_is_the_same_for_every_size(name, size, monkeypatch):
    monkeypatch.setattr("ostinato.compiler.headers._INPUTS", size[0])
    monkeypatch.setattr("ostinato.compiler.headers._UNITS", size[1])
    assert header(lookup(name)).text == FOLDER.joinpath(f"{name}.h").read_text(encoding="utf-8")


def test_forms():
    forms = {name: header(lookup(name)).is_fused for name in ("ugrnn", "lstm_coupled", "mgu", "gru_reset_before")}
    assert forms == {"ugrnn": True, "lstm_coupled": True, "mgu": False, "gru_reset_before": False}
    assert not header(lookup("lstm"), projected=True).is_fused


def test_the_weights_of_a_unit_are_rows_of_one_operand_in_the_order_of_the_parameters():
    @dataclass(frozen=True)
    class Exchanged(lookup("lstm_peephole")):
        name: ClassVar[str] = "exchanged"

        def parameters(self):
            return dict(reversed(super().parameters().items()))

    made = header(Exchanged)
    assert not made.is_fused  # whose extra weights come in the order in which a step uses them
    assert [f"&ostinato_run::grad_extra, {row}" in made.text for row in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(("name", "why"), [("lru", "other operands"), ("mogrifier_lstm", "cannot be one operand")])
def test_a_cell_with_other_operands_is_refused(name, why):
    with pytest.raises(NoHeaderError, match=why):
        header(lookup(name))


def test_a_program_that_depends_on_the_sizes_is_refused():
    def program(D, H, R):
        traced = trace(lookup("rnn" if H < 100 else "gru")(D, H))
        return traced, Layout(in_pieces(traced))

    with pytest.raises(NotSizedError, match="the code depends on the sizes"):
        sized("Changing", program, [], projects=False)


def products(name: str) -> int:
    """Multiplications of a step's way back, those that an addition takes in among them."""
    layout = Layout(in_pieces(trace(lookup(name)(3, 5))))
    ends = layout.back.ends
    return sum(layout.graph[at].op == "mul" for at in layout.graph.needed(ends) if at not in layout.computed)


def test_products_of_the_way_back_share_what_they_have_in_common():
    assert (products("lstm"), products("gru")) == (11, 8)
