"""Every view in both shades, wide and on a phone: open to all, nothing beyond the window, nothing that jumps."""

import pytest

from tests.end_to_end.studio.test_dropping import dragged
from tests.end_to_end.studio.test_learn import PAGES
from tests.unit.studio.test_guessing import KINDS

#: By place, what has come once the view is whole.
PLACES = {
    "runs": "table.runs",
    "train": ".drop",
    "try/lm": "form",
    "try/tag": ".tagged",
    "try/forecast": ".chart canvas",
    "try/shop": ".chart canvas",
    "try/sums": ".matrix",
    "try/waves": ".chances",
    "try/levels": ".figures dd",
    "try/squares": ".attention",
    "inside/lm/tag": ".panel",
    "inside/sums": ".panel",
    "inside/squares": ".panel",
    "inside/waves": ".panel",
    "learn": "main h1",
    **{f"learn/{name}": ".lesson .neighbours" for name in PAGES},
}
SIZES = {"wide": (1280, 900), "phone": (390, 800)}
#: Gathers how far things jump that nobody has touched, as chromium counts it: 0.1 and less counts as good.
JUMPS = """new PerformanceObserver((seen) => {
  for (const entry of seen.getEntries()) if (!entry.hadRecentInput) window.jumped = (window.jumped ?? 0) + entry.value;
}).observe({ type: 'layout-shift', buffered: true });"""


@pytest.mark.slow
@pytest.mark.parametrize("shade", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_view(reader, small, shade, size):
    page = reader.page
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.add_init_script(JUMPS)
    reader.go("runs")
    page.get_by_label("Colours").select_option(shade)
    jumps = {}
    try:
        for place, come in PLACES.items():
            page.goto("about:blank")
            reader.go(place)
            page.locator(come).first.wait_for(timeout=30_000)
            page.wait_for_function("() => !document.querySelector('.waiting')")
            page.wait_for_timeout(400)
            jumps[place] = page.evaluate("() => window.jumped ?? 0")
            reader.keep(f"{shade}-{size}-{place.replace('/', '-')}")
            reader.require_open_to_all()
        reader.go("train")
        dragged(page, *KINDS["months"][:2])
        page.wait_for_timeout(400)
        reader.keep(f"{shade}-{size}-train-table")
        reader.require_open_to_all()
    finally:
        page.evaluate("() => localStorage.clear()")
    assert {place: round(jump, 3) for place, jump in jumps.items() if jump > 0.1} == {}
