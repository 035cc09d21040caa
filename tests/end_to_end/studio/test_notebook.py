"""`ostinato.view`: the widget's own module in a browser, its messages answered by the widget's own Python."""

import base64
import io
import json

import pytest

import ostinato
from ostinato.core.errors import ConfigError
from tests.end_to_end.studio.conftest import GOLDEN

pytest.importorskip("anywidget", reason="ostinato.view needs anywidget: pip install 'ostinato[notebook]'")

SHOW = """async ([source, css, state]) => {
  document.head.append(Object.assign(document.createElement('style'), { textContent: css }));
  const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const listeners = new Set();
  const model = {
    get: (name) => state[name],
    on: (_, heard) => listeners.add(heard),
    off: (_, heard) => listeners.delete(heard),
    send: async (message) => {
      for (const packed of await window.ask(message)) {
        const bytes = Uint8Array.from(atob(packed), (one) => one.charCodeAt(0));
        for (const heard of listeners) heard({}, [new DataView(bytes.buffer)]);
      }
    },
  };
  (await import(address)).default.render({ model, el: document.body });
}"""


@pytest.fixture
def widget():
    """One whose messages are kept rather than sent to a notebook, and how it is asked."""
    made = ostinato.view(GOLDEN / "lm", GOLDEN / "tag", text="the cat")
    sent = []
    made.send = lambda content, buffers: sent.extend(buffers)

    def ask(message):
        sent.clear()
        made._msg_callbacks(made, message, [])
        return [base64.b64encode(packed).decode() for packed in sent]

    return made, ask


def test_each_run_answers_the_widget(widget):
    made, ask = widget
    assert made.names == ["lm", "tag"]
    packed = [base64.b64decode(one) for one in ask({"do": "read", "text": "a bird"})]
    headers = [json.loads(one[4 : 4 + int.from_bytes(one[:4], "little")]) for one in packed]
    assert [(header["run"], header["steps"]) for header in headers] == [(0, 7), (1, 2)]


def test_who_has_no_widgets_sees_a_picture(widget, monkeypatch):
    pillow = pytest.importorskip("PIL.Image")
    pytest.importorskip("matplotlib")
    data, _ = widget[0]._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    picture = pillow.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.format == "PNG"
    assert len(picture.convert("RGB").getcolors(100_000)) > 50  # something is drawn
    monkeypatch.setattr("ostinato.studio.notebook.available", lambda: False)
    assert "image/png" not in widget[0]._repr_mimebundle_()[0]


def test_a_run_that_reads_no_sequence_is_refused(tmp_path):
    with pytest.raises(ostinato.OstinatoError):
        ostinato.view(tmp_path)
    assert issubclass(ConfigError, ostinato.OstinatoError)


@pytest.mark.parametrize("ground", ["white", "rgb(20, 22, 28)"])
@pytest.mark.slow
def test_the_viewer_stands_in_a_notebook_of_either_shade(browser, widget, ground):
    made, ask = widget
    page = browser.new_page(viewport={"width": 900, "height": 800})
    faults = []
    page.on("console", lambda said: said.type == "error" and faults.append(said.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.set_content(f"<body style='background: {ground}'><button>the notebook's own</button></body>")
    own = page.get_by_role("button", name="the notebook's own")
    look = "(one) => [getComputedStyle(one).backgroundColor, getComputedStyle(one).font].join()"
    before = own.evaluate(look)
    page.expose_function("ask", ask)
    page.evaluate(SHOW, [made._esm, made._css, {"names": made.names, "text": made.text, "language": "en"}])
    page.locator(".panel").nth(12).wait_for()
    field = page.get_by_label("Text that the runs read")
    assert field.input_value() == "the cat"
    field.press("End")
    field.press_sequentially(" sees")
    marks = "() => [...document.querySelectorAll('.behind span')].length === 12"
    page.wait_for_function(marks)  # all letters are drawn
    page.get_by_label("lstm, layer 1, gate f").hover(position={"x": 12 * 6 + 3, "y": 3})
    page.get_by_text("(step 12)").wait_for()
    shade = page.evaluate("() => document.querySelector('.ostinato').dataset.theme")
    assert shade == ("light" if ground == "white" else "dark")
    assert own.evaluate(look) == before  # the viewer's rules end where it does
    letters = page.locator("h2").first.evaluate("(one) => getComputedStyle(one).color")
    assert letters == ("rgb(30, 31, 36)" if shade == "light" else "rgb(236, 234, 228)")  # as the studio has them
    layer = page.locator(".behind").evaluate("(one) => getComputedStyle(one).position")
    assert layer == "absolute"  # behind the field that is typed in
    from tests.end_to_end.studio.browsing import PICTURES

    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"notebook-{shade}.png", full_page=True)
    page.close()
    assert not faults
