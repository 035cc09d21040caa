"""Runs are tried as somebody would: what the page shows is what the package answers."""

import pytest

import ostinato


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
