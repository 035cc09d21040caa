"""Inside as somebody uses it who types: what the page shows is what the model did."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import ostinato
from ostinato.inspection import record
from tests.end_to_end.page import blocks
from tests.end_to_end.studio.browsing import Reader, Served
from tests.end_to_end.studio.conftest import GOLDEN

TEXT = "the cat and a bird"


@pytest.fixture(scope="module")
def lm():
    return ostinato.load(GOLDEN / "lm")


def gates(run, text):
    """Of the first layer."""
    ids = [run.tokenizer.begin_id, *run.tokenizer.encode(text)]
    return record(run.model, torch.tensor(ids)[:, None])[0]


def opened(reader, *names):
    reader.go("/".join(["inside", *names]))
    reader.page.locator(".panel").first.wait_for(timeout=60_000)  # torch is loaded, the first time
    return reader.page


def typed(page, text):
    """Type it, and wait until the last character is drawn."""
    field = page.get_by_label("Text that the runs read")
    field.fill("")
    page.evaluate(
        """() => {
          window.drawn = 0;
          const viewer = document.querySelector('.viewer');
          viewer.addEventListener('drawn', ({ detail }) => {
            if (detail.do === 'read') window.drawn = viewer.querySelector('textarea').value.length;
          });
        }"""
    )
    field.press_sequentially(text)
    page.wait_for_function(f"() => window.drawn === {len(text)}")
    return field


def test_a_units_value_is_read_where_the_pointer_is(reader, lm):
    page = opened(reader, "lm")
    typed(page, TEXT)
    forget = page.get_by_label("lstm, layer 1, gate f")
    box = forget.bounding_box()
    expected = gates(lm, TEXT).gates["f"][:, 0]
    for unit, step in ((0, 3), (5, 18), (7, 9)):
        forget.hover(position={"x": 6 * step + 3, "y": box["height"] * (unit + 0.5) / expected.shape[1]})
        reading = page.locator(".reading")
        value = f"{expected[step, unit]:.3f}"
        page.wait_for_function(f"() => document.querySelector('.reading').textContent.endsWith('{value}')")
        assert f"unit {unit}, after “{TEXT[step - 1]}” (step {step})" in reading.inner_text()
    # the text is coloured by the unit: the letters that it is the same at are of one ground
    grounds = page.locator(".behind span").evaluate_all("(all) => all.map((one) => one.style.backgroundColor)")
    assert len(grounds) == len(TEXT)
    share = [float(re.findall(r"[\d.]+", ground)[3]) for ground in grounds]
    np.testing.assert_allclose(share, 0.5 * np.abs(2 * expected[1:, 7] - 1), atol=0.01)
    reader.keep("inside")
    reader.require_open_to_all()
    other = TEXT.replace("and", "for")  # as long as before, and tokens that stand at the same places
    page.get_by_label("Text that the runs read").fill(other)
    page.wait_for_function("(text) => document.querySelector('.behind').textContent === `${text}\\n`", arg=other)


@pytest.mark.slow
def test_what_is_saturated_is_counted(reader, lm):
    page = opened(reader, "lm")
    typed(page, TEXT)
    candidate = gates(lm, TEXT).gates["g"][-1, 0]
    low, high = (round(100 * float(share)) for share in ((candidate < -0.9).mean(), (candidate > 0.9).mean()))
    panel = page.locator(".panel", has=page.get_by_label("lstm, layer 1, gate g"))
    assert f"saturated {low} % low, {high} % high" in panel.inner_text()


@pytest.mark.slow
def test_the_keyboard_reaches_every_unit(reader, lm):
    page = opened(reader, "lm")
    typed(page, TEXT)
    panel = page.get_by_label("lstm, layer 1, gate i")
    panel.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    value = f"{gates(lm, TEXT).gates['i'][-1, 0, 2]:.3f}"  # pinned: of the caret's step again
    page.wait_for_function(f"() => document.querySelector('.reading').textContent.endsWith('{value}')")
    assert panel.get_attribute("aria-valuenow") == "2"
    page.get_by_role("button", name="Let the unit go").click()
    page.get_by_text("Point at a unit to read its value").wait_for()


def test_a_selection_finds_its_units_and_a_click_keeps_one(reader):
    page = opened(reader, "lm")
    field = typed(page, TEXT)
    for _ in range(4):
        field.press("Shift+ArrowLeft")
    first = page.locator(".units button").first
    first.wait_for()
    best = first.inner_text()
    assert abs(float(best.rsplit(" ", 1)[1]) - 0.5) > 0.3  # an AUC
    first.click()
    name, unit = best.split(",")[0].split()
    page.wait_for_function(f"() => document.querySelector('.reading').textContent.includes(' {name}, unit {unit},')")
    reader.keep("inside-selection")
    reader.require_open_to_all()


@pytest.mark.slow
def test_the_gradients_way_back_beside_another_run(reader, lm):
    page = opened(reader, "lm", "tag")
    typed(page, TEXT)
    page.get_by_label("gradient back from the caret").check()
    page.locator(".flow canvas[aria-label*='∂L/∂c']").wait_for()
    said = page.locator(".flow canvas").first.get_attribute("aria-label")
    here, steps = re.search(r"∂L/∂h, layer 1: (\S+) at the caret, \S+ (\d+) steps before", said).groups()
    assert int(steps) == len(TEXT)
    from ostinato.inspection.views.gradients import flows

    flow = flows(lm.model, lm.task.typed(lm, TEXT).upto(len(TEXT) + 1))[0]
    assert float(here) == pytest.approx(float(flow.norms["h"][-1, 0]), rel=0.06)
    assert page.locator(".sections .run").count() == 2
    reader.keep("inside-gradient")
    reader.require_open_to_all()


@pytest.mark.slow
def test_numbers_are_asked_for_where_a_run_reads_them(reader):
    page = opened(reader, "forecast")
    field = page.get_by_label("Text that the runs read")
    assert len(field.input_value().splitlines()) == 28
    field.fill("1\ntwo\n3\n")
    page.get_by_text("line 2: expected 1 finite numbers (sales), got 'two'").wait_for()
    reader.require_open_to_all()


def pointed(page, label, unit, units, step):
    """Point at a unit at a step, and read what is said of it."""
    field = page.get_by_label(label, exact=True)
    field.hover(position={"x": 6 * step + 3, "y": field.bounding_box()["height"] * (unit + 0.5) / units})
    page.wait_for_function(
        """([unit, step]) => {
          const said = document.querySelector('.reading').textContent;
          return said.includes(`unit ${unit}, `) && said.includes(`(step ${step})`);
        }""",
        arg=[unit, step],
    )
    return page.locator(".reading").inner_text()


def shown(reading):
    return float(reading.rsplit(" ", 1)[1].replace("−", "-"))


@pytest.mark.slow
def test_a_translators_encoder_reads_and_its_decoder_writes(reader, small):
    run = ostinato.load(small / "sums")
    page = opened(reader, "sums")
    typed(page, "12+7")
    (answer,) = run.predict(["12+7"], beam=1)
    page.get_by_text(f"It writes: {answer}<eos>").wait_for()
    source, target = run.codec.encode_sources(["12+7"])[0], run.codec.target.encode(answer)
    begin = torch.tensor([run.codec.target.eos_id, *map(int, target)])[:, None]
    inputs = torch.from_numpy(source.astype(np.int64))[:, None]
    places = {place.place.label: place for place in record(run.model, inputs, target_inputs=begin)}
    said = pointed(page, "lstm, decoder, layer 1, gate i", 3, 16, 1)
    assert f"after “{answer[1]}” (step 1)" in said
    expected = places["decoder.first, layer 1"].gates["i"]
    assert shown(said) == pytest.approx(expected[1, 0, 3], abs=6e-4)
    share = page.locator(".written-text span").evaluate_all("(all) => all.map((one) => one.style.backgroundColor)")
    strength = [float(re.findall(r"[\d.]+", ground)[3]) for ground in share]
    np.testing.assert_allclose(strength, 0.5 * np.abs(2 * expected[:, 0, 3] - 1), atol=0.01)
    said = pointed(page, "lstm, encoder, layer 1, from the end, gate f", 2, 8, 3)
    expected = places["encoder.recurrent, layer 1, reverse"].gates["f"]
    assert shown(said) == pytest.approx(expected[3, 0, 2], abs=6e-4)
    assert "after “7” (step 3)" in said
    reader.keep("inside-translate")
    reader.require_open_to_all()


@pytest.mark.slow
def test_a_captioners_decoder_reads_a_caption(reader, small):
    run = ostinato.load(small / "squares")
    page = opened(reader, "squares")
    page.get_by_alt_text("The picture that it sees").wait_for()
    text = "a blue square"
    typed(page, text)
    said = pointed(page, "lstm, decoder, layer 1, gate o", 1, 16, 2)
    observed = run.task.typed(run, text).upto(4)
    (place,) = record(run.model, observed.inputs, modules=observed.modules, **observed.arguments)
    assert "after “blue” (step 2)" in said
    assert shown(said) == pytest.approx(place.gates["o"][2, 0, 1], abs=6e-4)
    reader.keep("inside-caption")
    reader.require_open_to_all()


@pytest.mark.slow
def test_a_sequence_of_numbers_is_read_step_by_step(reader, small):
    run = ostinato.load(small / "waves")
    page = opened(reader, "waves")
    field = page.get_by_label("Text that the runs read")
    values = np.array([0.1, -0.4, 1.5, 2.0])
    typed(page, "0.1\n-0.4\n1.5\n2")
    lengths, inputs = torch.tensor([4]), torch.from_numpy(run.codec.reads.scale.apply(values[:, None]))[:, None]
    (place, *_) = record(run.model, inputs, lengths)
    name, gate = next(iter(place.gates.items()))
    label = f"{place.cell}, layer 1, gate {name}"
    said = pointed(page, label, 5, 16, 2)
    assert shown(said) == pytest.approx(gate[2, 0, 5], abs=6e-4)
    assert "after “1.5” (step 2)" in said
    assert field.input_value().splitlines()[2] == "1.5"
    reader.keep("inside-numbers")
    reader.require_open_to_all()


@pytest.fixture(scope="module")
def trio(runs):
    """An RNN, a GRU and an LSTM trained on the same text."""
    for cell in ("rnn", "gru", "lstm"):
        book, out = str(runs.parent / "book.txt"), str(runs / f"trio-{cell}")
        ostinato.train("lm", book, out=out, level="char", cell=cell, hidden=24, batch=4, steps=16, epochs=1, threads=1)
    return runs


@pytest.mark.slow
def test_three_cells_read_the_same_text_side_by_side(reader, trio):
    page = opened(reader, "trio-rnn", "trio-gru", "trio-lstm")
    typed(page, TEXT)
    assert page.locator(".sections .run h2").all_inner_texts() == ["trio-rnn", "trio-gru", "trio-lstm"]
    for cell, gate in (("rnn", None), ("gru", "z"), ("lstm", "f")):
        (place,) = [gates(ostinato.load(trio / f"trio-{cell}"), TEXT)]
        kind, name, values = ("state", "h", place.states["h"]) if gate is None else ("gate", gate, place.gates[gate])
        said = pointed(page, f"{cell}, layer 1, {kind} {name}", 7, 24, 5)
        assert said.startswith(f"trio-{cell}: ")
        assert shown(said) == pytest.approx(values[5, 0, 7], abs=6e-4)
    page.get_by_label("gradient back from the caret").check()
    page.locator(".flow canvas[aria-label*='∂L/∂h']").nth(2).wait_for()
    reader.keep("inside-trio")
    reader.require_open_to_all()


@pytest.mark.slow
def test_a_cell_of_ones_own_is_compiled_and_looked_into(browser, tmp_path):
    """The cell of the guide, which `ostinato studio --plugin` imports."""
    guide = Path(__file__).parents[3] / "docs" / "guides" / "own-cell.md"
    (code,) = [block.code for block in blocks(guide) if block.file == "my_mgu.py"]
    (tmp_path / "my_mgu.py").write_text(code)
    plugin = str(tmp_path / "my_mgu.py")
    book, out = str(GOLDEN / "book.txt"), str(tmp_path / "runs" / "own")
    given = {"plugin": [plugin], "cell": "my_mgu", "hidden": 12, "batch": 4, "steps": 16, "epochs": 1, "threads": 1}
    run = ostinato.train("lm", book, out=out, level="char", **given)
    served = Served(tmp_path / "runs", tmp_path, "--plugin", plugin)
    try:
        opening = browser.new_context(bypass_csp=True)
        opening.new_page().goto(served.address)
        reader = Reader(opening, served.home)
        page = opened(reader, "own")
        typed(page, TEXT)
        place = gates(run, TEXT)
        for name, values in place.gates.items():
            said = pointed(page, f"my_mgu, layer 1, gate {name}", 4, 12, 9)
            assert shown(said) == pytest.approx(values[9, 0, 4], abs=6e-4)
        reader.keep("inside-own-cell")
        reader.require_no_faults()
        opening.close()
    finally:
        said = served.end()
        assert "Traceback" not in said, said


def ticked(page):
    return page.locator(".chosen-runs label", has=page.locator("input:checked")).all_inner_texts()


@pytest.mark.slow
def test_where_none_is_chosen_it_is_the_newest_that_went_well(reader, runs):
    """Not one that is newer and diverged; who chooses none sees none."""
    broken = runs / "diverged"
    shutil.copytree(GOLDEN / "lm", broken)
    try:
        weights = broken / "model.safetensors"
        tensors = {name: tensor.clone() for name, tensor in load_file(weights).items()}
        next(iter(tensors.values())).fill_(torch.nan)
        save_file(tensors, weights)
        for file in broken.iterdir():
            os.utime(file)
        page = opened(reader)
        (name,) = ticked(page)
        assert not name.startswith("diverged")
        assert page.locator(".sections .run h2").all_inner_texts() == [name.split()[0]]
        page.locator(".chosen-runs input:checked").uncheck()
        page.get_by_text("Tick a run to look inside.").wait_for()
    finally:
        shutil.rmtree(broken)


@pytest.mark.slow
def test_what_was_typed_stays_when_another_run_is_ticked(reader):
    page = opened(reader, "lm")
    typed(page, TEXT)
    page.locator(".chosen-runs").get_by_label("tag").check()
    page.locator(".sections .run").nth(1).wait_for()
    page.locator(".panel").nth(12).wait_for()
    assert page.get_by_label("Text that the runs read").input_value() == TEXT


@pytest.mark.slow
def test_dark_and_on_a_phone(reader):
    page = reader.page
    page.set_viewport_size({"width": 390, "height": 800})
    opened(reader, "lm", "tag")
    page.get_by_label("Colours").select_option("dark")
    page.wait_for_timeout(300)
    reader.keep("inside-phone")
    reader.require_open_to_all()
    page.evaluate("() => localStorage.clear()")
