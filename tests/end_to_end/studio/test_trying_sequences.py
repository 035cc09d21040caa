"""Sequences of numbers are tried: chosen, typed, pasted, dropped; what the page shows is what the package answers."""

import re

import numpy as np
import pytest

import ostinato
from tests.end_to_end.studio.data import levels, waves

NEAR = """(value) => {
  const shown = document.querySelector('.figures dd')?.textContent.replace('−', '-');
  return Math.abs(shown - value) < 1e-4 * Math.abs(value) + 1e-4;
}"""


def series_of(content):
    return [np.array([float(x) for x in line.split(":")[0].split(",")]) for line in content.splitlines()[4:]]


def probabilities(page):
    what = page.locator(".chances .what").all_inner_texts()
    shares = page.locator(".chances .share").all_inner_texts()
    return {name: float(share.removesuffix(" %")) for name, share in zip(what, shares, strict=True)}


def expect(page, answer):
    """Wait for this answer."""
    label = answer["label"]
    best = f"{100 * max(answer['probabilities'].values()):.3g}"
    page.wait_for_function(
        "([label, best]) => document.querySelector('main h2')?.textContent.endsWith(label) &&"
        " document.querySelector('.chances .share').textContent === `${best} %`",
        arg=[label, best],
    )


def test_a_sequence_is_chosen_typed_pasted_and_dropped(reader, small):
    page, run = reader.page, ostinato.load(small / "waves")
    reader.go("try/waves")
    field, own = page.get_by_label("Sequence of numbers"), series_of(waves(30, seed=1))
    page.get_by_text("In the data it is falls.").wait_for()  # the first one of the validation data
    answers = run.predict([values[:, None] for values in own])
    expect(page, answers[0])
    assert np.allclose([float(line) for line in field.input_value().split()], own[0])
    examples = page.get_by_label("Example", exact=True)
    examples.select_option("7")
    page.get_by_text("In the data it is rises.").wait_for()
    expect(page, answers[7])
    for name, value in probabilities(page).items():
        assert value == pytest.approx(100 * answers[7]["probabilities"][name], rel=6e-3, abs=1e-12)
    # what each step moved: the same with the mean of training in its place
    said = page.get_by_label("What each step moved rises").get_attribute("aria-label")
    mean, whole = run.config["scale"]["mean"][0], answers[7]["probabilities"]["rises"]
    others = run.predict([np.where(np.arange(24) == t, mean, own[7])[:, None] for t in range(24)])
    moved = [whole - other["probabilities"]["rises"] for other in others]
    most = int(np.argmax(np.abs(moved)))
    assert f"steps {most + 1} to {most + 1}, " in said
    assert float(said.rsplit(" ", 1)[1].replace("−", "-")) == pytest.approx(moved[most], rel=0.02)
    page.wait_for_timeout(300)
    reader.keep("try-sequence")
    reader.require_open_to_all()
    field.fill("0 0 0 0 0 0 -1, -2, -3")
    expect(page, run.predict([np.array([0, 0, 0, 0, 0, 0, -1, -2, -3.0])[:, None]])[0])
    assert not page.get_by_text("In the data it is").count()
    field.fill("1\nnone\n2")
    page.get_by_text("line 2: expected 1 finite numbers").wait_for()
    content = waves(3, seed=5)
    field.evaluate(
        "(one, text) => { const data = new DataTransfer(); data.setData('text', text);"
        " one.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })); }",
        content,
    )
    expect(page, run.predict([series_of(content)[0][:, None]])[0])
    other = waves(3, seed=6)
    page.locator(".numbers").evaluate(
        "(one, text) => { const data = new DataTransfer(); data.items.add(new File([text], 'dropped.ts'));"
        " one.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })); }",
        other,
    )
    expect(page, run.predict([series_of(other)[0][:, None]])[0])
    reader.faults[:] = [fault for fault in reader.faults if "422" not in fault and "400" not in fault]


@pytest.mark.slow
def test_numbers_are_regressed_of_two_channels(reader, small):
    page, run = reader.page, ostinato.load(small / "levels")
    reader.go("try/levels")
    page.get_by_text(re.compile(r"In the data it is mean -?0\.\d+")).wait_for()
    (first, *_) = run.predict(str(small.parent / "levels.csv"))
    page.wait_for_function(NEAR, arg=first["mean"])
    # a table without ids is one sequence
    rows = [line.split(",")[2:4] for line in levels(1, seed=3).splitlines()[1:]]
    table = "a,b\n" + "".join(",".join(row) + "\n" for row in rows)
    page.get_by_label("A file of your own").set_input_files(
        {"name": "mine.csv", "mimeType": "text/csv", "buffer": table.encode()}
    )
    (answer,) = run.predict([np.array(rows, float)])
    page.wait_for_function(NEAR, arg=answer["mean"])
    reader.keep("try-regress")
    reader.require_open_to_all()
