"""Runs are tried as somebody would: what the page shows is what the package answers."""

import csv
import math

import numpy as np
import pytest

import ostinato

#: The number that is shown somewhere, once it is another than before.
SHOWN = "([place, before]) => { const now = document.querySelector(place)?.textContent; return now !== before && now; }"


def test_a_language_model_writes_and_says_what_else_it_thought_of(reader, runs):
    page = reader.page
    reader.go("try/lm")
    page.get_by_label("What it goes on from").fill("the small ")
    page.get_by_label("Tokens", exact=True).fill("40")
    page.get_by_role("button", name="Write").click()
    page.locator(".token").first.wait_for()
    expected = "".join(ostinato.load(runs / "lm").generate("the small ", 40, temperature=0.8, seed=1))
    assert page.locator(".tokens").text_content() == expected
    first = page.locator(".token").first
    first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("() => [...document.querySelectorAll('.token')].indexOf(document.activeElement)") == 1
    shares = [float(text.removesuffix(" %")) for text in page.locator(".candidate .share").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 100.1
    reader.keep("try-lm")
    reader.require_open_to_all()


def test_tags_in_colour(reader, runs):
    page = reader.page
    reader.go("try/tag")
    page.get_by_label("Text", exact=True).fill("the small bird sees a dog")
    page.locator(".word", has_text="bird").wait_for()
    (answer,) = ostinato.load(runs / "tag").predict([["the", "small", "bird", "sees", "a", "dog"]])
    assert page.locator(".word .tag").all_inner_texts() == list(answer.tags)
    reader.keep("try-tag")
    reader.require_open_to_all()


def test_a_forecast_with_its_intervals(reader, runs):
    page = reader.page
    reader.go("try/forecast")
    page.get_by_text("As a table").click()
    rows = page.locator("details tbody tr")
    rows.first.wait_for()
    expected = ostinato.load(runs / "forecast").predict(str(runs.parent / "sales.csv"))
    assert rows.count() == len(expected) == 7
    shown = float(rows.first.locator("td").nth(1).inner_text())
    assert shown == pytest.approx(expected[0]["sales"], rel=1e-4)
    page.get_by_label("Rows to forecast").fill("12")
    page.wait_for_function("() => document.querySelectorAll('details tbody tr').length === 12")
    reader.keep("try-forecast")
    reader.require_open_to_all()


@pytest.mark.slow
def test_what_is_known_ahead_is_set_by_a_slider(reader, small):
    page, run = reader.page, ostinato.load(small / "shop")
    reader.go("try/shop")
    page.get_by_text("As a table").click()
    cell = "details tbody tr td:nth-child(2)"
    page.locator(cell).first.wait_for()
    with (small.parent / "shop.csv").open() as file:
        rows = list(csv.DictReader(file))
    for offer in ("4", "1"):
        before = page.locator(cell).first.inner_text()
        slider = page.get_by_role("slider", name="offer, ahead")
        slider.focus()
        page.keyboard.press("End" if offer == "4" else "Home")
        if offer == "1":
            page.keyboard.press("ArrowRight")
        page.wait_for_function(SHOWN, arg=[cell, before])
        then = [row | {"offer": offer} if not row["sales"] else row for row in rows]
        expected = [row["sales"] for row in run.predict(then)]
        page.wait_for_function(
            "([cell, value]) => Math.abs(Number(document.querySelector(cell).textContent) - value) < 1e-3 * value",
            arg=[cell, expected[0]],
        )
        shown = [float(text) for text in page.locator(cell).all_inner_texts()]
        np.testing.assert_allclose(shown, expected, rtol=1e-3)
    reader.keep("try-forecast-slider")
    reader.require_open_to_all()


def strengths(cells):
    """How strong the grounds of cells are, as shares of the strongest there may be."""
    grounds = cells.evaluate_all("(all) => all.map((one) => getComputedStyle(one).backgroundColor)")
    return np.array(
        [float(ground.rstrip(")").rpartition("/" if "/" in ground else ",")[2]) / 0.75 for ground in grounds]
    )


@pytest.mark.slow
def test_a_translation_and_what_it_looked_at(reader, small):
    page, run = reader.page, ostinato.load(small / "sums")
    reader.go("try/sums")
    page.get_by_label("Text to read").fill("12+7")
    page.locator(".matrix tbody tr").first.wait_for()
    found = run.task.align(run, "12+7", 5)
    page.wait_for_function("() => document.querySelectorAll('.matrix thead th').length === 5")
    weights = found.weights.numpy()
    np.testing.assert_allclose(strengths(page.locator(".matrix td[title]")).reshape(weights.shape), weights, atol=1e-2)
    (answer,) = run.predict(["12+7"])
    assert page.get_by_label("Answer").inner_text().strip() == answer
    second = page.get_by_role("radio").nth(1)
    second.focus()
    page.keyboard.press("Space")
    np.testing.assert_allclose(strengths(page.locator(".looked")), weights[1], atol=1e-2)
    most = found.source[int(weights[1].argmax())]
    assert second.get_attribute("aria-label") == f"{found.target[1]}: looked at {most} most"
    reader.keep("try-translate")
    reader.require_open_to_all()


@pytest.mark.slow
def test_a_caption_and_where_it_looked(reader, small):
    page, run = reader.page, ostinato.load(small / "squares")
    reader.go("try/squares")
    page.locator(".picture .attention span").first.wait_for()
    page.locator(".thumbnails button").nth(5).click()
    found = run.task.look(run, small.parent / "pictures" / "05.png")
    page.get_by_text("a blue square on the left", exact=True).wait_for()  # what people wrote
    dark = "(all) => all.map((one) => Number(getComputedStyle(one).opacity))"

    def require_light_where_it_looked(weights):
        expected = 0.72 * (1 - weights / weights.max())
        page.wait_for_function(
            "values => [...document.querySelectorAll('.attention span')].every("
            "(span, place) => Math.abs(getComputedStyle(span).opacity - values[place]) < 2e-3)",
            arg=expected.tolist(),
        )
        np.testing.assert_allclose(page.locator(".attention span").evaluate_all(dark), expected, atol=2e-3)

    require_light_where_it_looked(found.weights[0].numpy())
    assert page.locator(".attention span").count() == math.isqrt(found.weights.shape[1]) ** 2
    page.locator(".tokens-row label").nth(1).hover()
    require_light_where_it_looked(found.weights[1].numpy())
    shown = "".join(page.locator(".tokens-row label").all_inner_texts())
    assert shown.replace(" ", "") == "".join(found.target).replace(" ", "")
    # one of the reader's own
    picture = small.parent / "pictures" / "01.png"
    page.get_by_label("Picture", exact=True).set_input_files(picture)
    page.wait_for_function("() => document.querySelector('.picture img').src.startsWith('blob:')")
    require_light_where_it_looked(run.task.look(run, picture).weights[1].numpy())
    reader.keep("try-caption")
    reader.require_open_to_all()
