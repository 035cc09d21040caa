"""Every view as somebody sees it who clicks through: in English and Korean, light and dark, wide and narrow."""

import pytest

from tests.end_to_end.studio.browsing import require_axe

WAITING = "() => !document.querySelector('.waiting') && document.querySelector('main h1')"
VIEWS = {"runs": "Runs", "train": "Train", "try": "Try", "inside": "Inside", "learn": "Learn"}


def test_the_views_by_clicking(reader):
    require_axe()
    page = reader.page
    reader.go("")
    for view, name in VIEWS.items():
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        page.wait_for_function(
            "name => document.title.startsWith(name)", arg=name
        )  # the view before may still stand there
        page.wait_for_function(WAITING, timeout=60_000)  # Inside loads torch, and a run
        assert page.evaluate("() => document.activeElement.id") in ("main", ""), view
        page.wait_for_timeout(150)
        reader.keep(f"view-{view}")
        reader.require_open_to_all()


@pytest.mark.slow
def test_dark_korean_and_on_a_phone(reader):
    page = reader.page
    page.set_viewport_size({"width": 390, "height": 800})
    reader.go("runs")
    page.get_by_label("Colours").select_option("dark")
    page.get_by_label("Language").select_option("ko")
    assert page.evaluate("() => [document.documentElement.lang, document.documentElement.dataset.theme]") == [
        "ko",
        "dark",
    ]
    try:
        for view in VIEWS:
            reader.go(view)
            page.wait_for_function(WAITING, timeout=60_000)  # Inside loads torch, and a run
            page.wait_for_timeout(150)
            reader.keep(f"phone-{view}")
            reader.require_open_to_all()
        # every word of one language has its counterpart
        missing = page.evaluate(
            """async () => {
              const { STRINGS } = await import('/page/lib/i18n.js');
              const [en, ko] = [Object.keys(STRINGS.en), Object.keys(STRINGS.ko)];
              return [...en.filter((key) => !ko.includes(key)), ...ko.filter((key) => !en.includes(key))];
            }"""
        )
        assert missing == []
    finally:
        page.evaluate("() => localStorage.clear()")


@pytest.mark.slow
def test_the_table_is_sorted_and_two_runs_stand_side_by_side(reader):
    page = reader.page
    reader.go("runs")
    rows = page.locator("table.runs tbody th")
    page.locator("table.runs input:checked").first.wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    names = rows.all_inner_texts()
    assert {"forecast", "lm", "tag"} <= set(names)
    assert names == sorted(names)
    page.get_by_role("button", name="Run", exact=True).click()
    assert rows.all_inner_texts() == names[::-1]
    while page.locator("table.runs input:checked").count():
        page.locator("table.runs input:checked").first.uncheck()
    for name in ("lm", "tag"):
        page.get_by_label(f"Curve of {name}").check()
    page.get_by_role("heading", name="lm beside tag").wait_for()
    differing = page.locator("section:has(#side-by-side) tbody th").all_inner_texts()
    assert {"Task", "hidden"} <= set(differing)
    assert "seed" not in differing  # the same in both
    page.wait_for_timeout(300)
    reader.keep("runs-two")
    reader.require_open_to_all()


def test_nothing_without_the_key(browser, studio):
    stranger = browser.new_context()
    page = stranger.new_page()
    assert page.goto(studio.home).status == 401
    assert "ostinato studio" in page.inner_text("body")
    stranger.close()


@pytest.mark.parametrize("place", ["nowhere", "try/none", "train/none"])
@pytest.mark.slow
def test_what_is_not_there_is_said(context, studio, place):
    page = context.new_page()
    page.goto(f"{studio.home}#/{place}")
    page.get_by_role("alert").first.wait_for()
    assert page.get_by_role("alert").first.inner_text().strip()
    page.close()
