"""The pages of Learn by clicking; that their numbers are right `tests/unit/studio/test_learn_maths.py` shows."""

import pytest

PAGES = ["unrolling", "vanishing", "clipping", "gates", "truncation", "topologies"]


def opened(reader, name):
    reader.go(f"learn/{name}")
    page = reader.page
    page.locator(".lesson .neighbours").wait_for()
    page.wait_for_function("() => !document.querySelector('.waiting')")
    return page


def slid(page, label, value):
    page.get_by_label(label).evaluate(
        "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )


@pytest.mark.slow
def test_all_pages_one_after_the_other(reader):
    page = reader.page
    reader.go("learn")
    page.get_by_role("link", name="One network, unrolled over time").click()
    for number, name in enumerate(PAGES, 1):
        page.get_by_text(f"{number} / 6").wait_for()
        page.wait_for_function("() => !document.querySelector('.waiting')")
        page.wait_for_timeout(100)
        reader.keep(f"learn-{name}")
        reader.require_open_to_all()
        if number < len(PAGES):
            page.get_by_role("link", name="Next:").click()


@pytest.mark.slow
def test_a_word_is_learned_before_ones_eyes(reader):
    page = opened(reader, "unrolling")
    before = page.locator(".matrices canvas").nth(1).evaluate("(canvas) => canvas.toDataURL()")
    page.get_by_label("Word to spell").fill("level")
    page.get_by_role("button", name="Train").click()
    page.get_by_text("180 updates").wait_for()
    assert page.locator(".matrices canvas").nth(1).evaluate("(canvas) => canvas.toDataURL()") != before
    loss = float(page.locator(".figures").inner_text().rsplit(" ", 1)[1])
    assert loss < 0.05
    page.get_by_role("button", name="One step on").click()
    page.get_by_text("Step 2: reads e, expects v").wait_for()
    reader.keep("learn-unrolling-trained")


def test_a_gradient_vanishes_and_explodes_with_the_slider(reader):
    page = opened(reader, "vanishing")
    page.get_by_label("orthogonal").check()
    said = page.locator(".reading")
    for radius, left in ((1, "1 in the linear network"), (0.5, "1.8 × 10⁻¹⁵ in"), (1.5, "4.3 × 10⁸ in")):
        slid(page, "Spectral radius", str(radius))
        page.wait_for_function("(text) => document.querySelector('.reading').textContent.includes(text)", arg=left)
    assert "49 steps back" in said.inner_text()
    slid(page, "Forget gate of an LSTM", "0.9")
    text = "0.0057 by an LSTM's memory cell"  # 0.9 to the power of 49
    page.wait_for_function("(text) => document.querySelector('.reading').textContent.includes(text)", arg=text)


@pytest.mark.slow
def test_clipping_keeps_what_is_thrown_off_without(reader):
    page = opened(reader, "clipping")
    page.get_by_text("the loss is 0.09 without clipping, 4.5 × 10⁻⁴ with it").wait_for()
    slid(page, "Threshold of the norm", "2")
    page.get_by_text("the loss is 0.09 without clipping, 0.09 with it").wait_for()


@pytest.mark.slow
def test_a_forget_gate_that_is_shut_forgets(reader):
    page = opened(reader, "gates")
    page.get_by_role("button", name="It keeps", exact=True).click()
    page.get_by_text("34 steps later it is 0.57").wait_for()
    slid(page, "f, forget gate", "-8")
    page.get_by_text("34 steps later it is 0.").wait_for()
    page.wait_for_function("() => /it is 0?\\.?0*\\d/.test(document.querySelector('.reading').textContent)")
    page.get_by_label("GRU").check()
    page.get_by_label("z, update gate").wait_for()
    reader.require_open_to_all()


@pytest.mark.slow
def test_pieces_that_reach_far_enough_learn(reader):
    page = opened(reader, "truncation")
    slid(page, "To be remembered", "3")
    slid(page, "Length of a piece", "5")  # the sixth of them: 8 steps
    page.get_by_text("Pieces of 8 steps reach 3 steps back").wait_for()
    page.get_by_role("button", name="Train").click()
    page.get_by_text("120 of 120 passes").wait_for(timeout=60_000)
    whole, kept, zeros = (
        float(part.rsplit(" ", 1)[1]) for part in page.locator(".reading").last.inner_text().split(";")
    )
    assert max(whole, kept) < 0.1 < zeros
    reader.keep("learn-truncation-trained")
    page.get_by_role("button", name="Other random numbers").click()
    page.get_by_text("0 of 120 passes").wait_for()
    page.get_by_role("button", name="Train").click()
    page.get_by_text("120 of 120 passes").wait_for(timeout=60_000)


@pytest.mark.slow
def test_what_is_read_from_the_end_and_what_is_looked_at(reader):
    """Of five inputs' sides those are drawn that there are: 3 + 3 + 2 arrows back, 3 looks for each of 3 answers."""
    page = opened(reader, "topologies")
    assert page.locator(".topology .back").count() == page.locator(".topology .look").count() == 0
    page.get_by_label("a second network from the end").check()
    page.locator(".topology .back").nth(7).wait_for(state="attached")
    assert page.locator(".topology .back").count() == 8
    page.get_by_label("attention").check()
    page.locator(".topology .look").nth(8).wait_for(state="attached")
    assert page.locator(".topology .look").count() == 9
    page.get_by_role("button", name="Stop").click()
    for _ in range(9):  # through all beats: each arrow is lit once
        if page.locator(".topology .look.now").count() == 3:
            break
        page.get_by_role("button", name="One step on").click()
    assert page.locator(".topology .look.now").count() == 3
    reader.keep("learn-topologies-all")
    reader.require_open_to_all()


@pytest.mark.slow
def test_in_korean_dark_and_on_a_phone(reader):
    page = reader.page
    page.set_viewport_size({"width": 390, "height": 800})
    reader.go("learn")
    page.get_by_label("Colours").select_option("dark")
    page.get_by_label("Language").select_option("ko")
    try:
        for name in PAGES:
            opened(reader, name)
            page.wait_for_timeout(300)
            reader.keep(f"learn-phone-{name}")
            reader.require_open_to_all()
    finally:
        page.evaluate("() => localStorage.clear()")
