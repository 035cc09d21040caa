"""A file is dropped, trained on, watched, stopped, gone on with; the training outlives the page and the server."""

import json
import os
import signal
import time
from contextlib import suppress

import pytest

from tests.end_to_end.studio.browsing import Reader, Served

TEXT = "The quick brown fox jumps over the lazy dog. " * 1_500
SALES = "day,sales,promotion\n" + "".join(
    f"2024-{n // 28 + 1:02d}-{n % 28 + 1:02d},{100 + 10 * (n % 7) + n / 5},{n % 3}\n" for n in range(300)
)
STATE = "h1 .state"


def drop(page, name, content):
    page.locator(".drop input").set_input_files({"name": name, "mimeType": "text/plain", "buffer": content.encode()})
    page.wait_for_function("() => document.querySelector('form input[maxlength]')?.value")  # a name is offered


def option(page, name, value):
    page.get_by_label(name, exact=True).fill(str(value))


def start(page, name):
    page.get_by_label("Name of the run").fill(name)
    page.locator(".command code", has_text=name).wait_for()
    page.get_by_role("button", name="Start").click()
    page.locator(STATE).wait_for()


def test_a_text_from_the_drop_to_what_it_writes(reader):
    page = reader.page
    reader.go("train")
    drop(page, "fox.txt", TEXT)
    assert page.get_by_text("This seems to be text").is_visible()
    assert page.get_by_label("Name of the run").input_value() == "fox"
    option(page, "hidden", 32)
    option(page, "epochs", 2)
    page.get_by_text("more options").click()
    option(page, "lr", 0.01)
    page.locator(".command code", has_text="--lr 0.01").wait_for()
    command = page.locator(".command code").inner_text()
    assert command.startswith("ostinato train lm ")
    assert "--hidden 32 --epochs 2 --lr 0.01" in command
    reader.keep("train-text")
    reader.require_open_to_all()
    start(page, "fox")
    page.wait_for_function("() => /finished/.test(document.querySelector('h1 .state').textContent)", timeout=60_000)
    page.locator(".written").wait_for()
    assert len(page.locator(".written").inner_text()) > 100
    assert page.locator(".figures dd").first.inner_text() != "–"
    reader.keep("train-finished")
    reader.require_open_to_all()


@pytest.mark.slow
def test_a_table_whose_columns_are_chosen_otherwise(reader):
    page = reader.page
    reader.go("train")
    drop(page, "sales.csv", SALES)
    role = page.get_by_label("What promotion is for")
    assert page.get_by_label("What sales is for").input_value() == "target"
    assert page.get_by_label("What day is for").input_value() == "time"
    assert role.input_value() == "past"
    role.select_option("future")
    page.locator(".command code", has_text="--future promotion").wait_for()
    assert "--past" not in page.locator(".command code").inner_text()
    reader.keep("train-table")
    reader.require_open_to_all()


@pytest.mark.slow
def test_what_does_not_fit_is_said_before_it_starts(context, studio):
    page = context.new_page()
    page.goto(f"{studio.home}#/train")
    drop(page, "sales.csv", SALES)
    option(page, "window (required)", 1)
    page.get_by_role("alert").wait_for()
    assert "--window: expected at least 2, got 1" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("button", name="Start").is_disabled()
    page.close()


@pytest.fixture
def folder(tmp_path):
    """A folder of runs whose trainings end with the test, however it ends."""
    yield tmp_path / "runs"
    for file in (tmp_path / "runs" / ".trainings").glob("*/training.json"):
        with suppress(ProcessLookupError):
            os.killpg(json.loads(file.read_text())["pid"], signal.SIGKILL)


@pytest.mark.slow
def test_a_training_outlives_page_and_server(browser, folder):
    first = Served(folder, folder.parent)
    opened = browser.new_context(bypass_csp=True)
    try:
        page = opened.new_page()
        page.goto(first.address)
        page.goto(f"{first.home}#/train")
        drop(page, "fox.txt", TEXT)
        option(page, "hidden", 16)
        option(page, "time limit", 60)
        start(page, "long")
        page.wait_for_function("() => document.querySelector('.figures dd').textContent !== '–'", timeout=60_000)
    finally:
        opened.close()
        first.process.kill()
        first.process.wait()
    lines = (folder / "long" / ".new" / "metrics.jsonl", folder / "long" / "metrics.jsonl")

    def written():
        return max(file.stat().st_size for file in lines if file.exists())

    before = written()
    second = Served(folder, folder.parent)
    try:
        opened = browser.new_context(bypass_csp=True)
        opened.new_page().goto(second.address)
        reader = Reader(opened, second.home)
        reader.go("train/long")
        page = reader.page
        page.locator(STATE, has_text="training").wait_for(timeout=30_000)
        deadline = time.monotonic() + 30
        while written() <= before:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Go on").wait_for(timeout=30_000)
        assert "interrupted" in page.locator(STATE).inner_text()
        reader.keep("train-stopped")
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Stop").wait_for(timeout=30_000)
        reader.require_no_faults()
    finally:
        said = second.end()
        assert "Traceback" not in said, said
