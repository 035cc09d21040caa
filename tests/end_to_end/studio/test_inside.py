"""Inside as somebody uses it who types: what the page shows is what the model did."""

import re

import numpy as np
import pytest
import torch

import ostinato
from ostinato.inspection import record
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
