"""What a file that somebody drops is for: the task, the columns, and the first rows to check them by.

The readers that training uses look at the file's beginning; a guess is what they take without a word.
"""

import re
import tempfile
from pathlib import Path, PurePath
from typing import Any, TypeAlias

import msgspec

from ostinato.core.errors import DataError, OstinatoError
from ostinato.data.pictures.captions import is_captions
from ostinato.data.sources.files import TextFile, one_file, plain_name
from ostinato.data.tables.layout import laid_out, layout_of
from ostinato.data.tables.reading import ENDINGS, Table, read_table
from ostinato.data.text.conll_layout import DOCUMENT, Layout, is_blank, read_layout
from ostinato.studio.columns import Columns, table_tasks
from ostinato.studio.sampling import Sample, sample_of

#: Rows that are shown.
_SHOWN = 8
#: What may stand between a source and its target, the surest first.
_SEPARATORS = ("\t", "|||", " => ", " -> ", "_", "|", ";")
_TAGGED_ENDINGS = {".conllu", ".conll", ".iob", ".iob2", ".bio", ".conll03"}


#: Options by task, the most likely task first.
Tasks: TypeAlias = dict[str, dict[str, Any]]


class Guess(msgspec.Struct):
    """What a file seems to be.

    Attributes:
        kind: what it is made of: text, pairs, words, table, series, pictures.
        tasks: those that can read it, the most likely first, each with options that read it.
        columns: names of its columns; empty where it has none.
        rows: its first rows, cell by cell.
        about: numbers that say how the guess came about, by what they are.
    """

    kind: str
    tasks: Tasks
    columns: list[str]
    rows: list[list[str]]
    about: dict[str, Any] = {}


def guess(path: Path, name: str, images: Path | None = None) -> Guess:
    """Look at a file.

    Args:
        path: where it is.
        name: what it was called.
        images: folder of the pictures whose captions it has.

    Raises:
        DataError: it is no text and no table, or empty.
    """
    if images is not None:
        return _captions(path, images)
    file = one_file(str(path))
    ending = PurePath(plain_name(name)).suffix.lower()
    if ending == ".parquet":
        return _table(path, {})
    sample = sample_of(file)
    if not sample.head.strip():
        raise DataError(f"{name}: is empty")
    for look in (_as_series, _as_captions, _as_words, _as_pairs, _as_table):
        if (found := look(file, ending, sample)) is not None:
            return found
    rows = [[line] for line in sample.lines if line.strip()][:_SHOWN]
    return Guess("text", _texts(sample.head), [], rows, {"lines": sample.count})


def guess_two(paths: tuple[Path, Path], names: tuple[str, str]) -> Guess:
    """Look at two files together: whose lines belong together.

    Raises:
        DataError: they have not as many lines, or one cannot be read.
    """
    samples = [sample_of(one_file(str(path))) for path in paths]
    if samples[0].count != samples[1].count:
        raise DataError(
            f"{names[0]} has {samples[0].count:,} lines, {names[1]} {samples[1].count:,}: each line of one belongs "
            "to the same line of the other; give one file, or two of as many lines"
        )
    options = {"source": str(paths[0]), "target": str(paths[1])}
    rows = [list(pair) for pair in zip(*(sample.lines[:_SHOWN] for sample in samples), strict=False)]
    return Guess("pairs", {"translate": options}, list(names), rows, {"lines": samples[0].count})


def _texts(text: str) -> Tasks:
    """Of running text. Where unknown words are marked already, tokens are words."""
    return {"lm": {"level": "word"} if "<unk>" in text else {}}


def _as_series(file: TextFile, ending: str, sample: Sample) -> Guess | None:
    """A .ts file: a header of @words, then a case a line."""
    lines = sample.lines
    header = [line.strip().lower() for line in lines if line.startswith("@")]
    if "@data" not in header:
        return None
    cases = [line for line in lines[[line.strip().lower() for line in lines].index("@data") + 1 :] if line.strip()]
    targets = any(line.startswith("@targetlabel true") for line in header)
    parts = [case.split(":") for case in cases[:_SHOWN]]
    width = max(map(len, parts), default=1)
    columns = [*(f"{number + 1}" for number in range(width - 1)), "target" if targets else "label"]
    tasks: Tasks = {"regress": {}} if targets else {"classify": {}, "regress": {}}
    return Guess("series", tasks, columns, [[_short(cell) for cell in case] for case in parts])


def _as_captions(file: TextFile, ending: str, sample: Sample) -> Guess | None:
    """Captions without their pictures: which are to come as well."""
    if not is_captions(sample.lines[0]) or (ending in ENDINGS and ending != ".csv"):
        return None
    return _captions(file.path, None)


def _as_words(file: TextFile, ending: str, sample: Sample) -> Guess | None:
    """Words in columns, and blank lines between sentences."""
    if ending in ENDINGS or (ending not in _TAGGED_ENDINGS and not _looks_tagged(sample.lines)):
        return None
    layout = read_layout(file)
    words = [layout.split(line) for line in sample.lines if _is_word(line, layout)]
    columns = list(layout.names) or [str(number + 1) for number in range(layout.width)]
    return Guess("words", {"tag": {"column": columns[layout.tag_column]}}, columns, words[:20])


def _is_word(line: str, layout: Layout) -> bool:
    if is_blank(line) or line.startswith((DOCUMENT, "# ")) or (layout.commented and line.startswith("#")):
        return False
    fields = layout.split(line)
    return len(fields) == layout.width and (not layout.numbered or fields[0].isdecimal())


def _looks_tagged(lines: list[str]) -> bool:
    """Whether nearly all lines that are not blank have as many fields, two at least, and blank lines divide them."""
    words = [line for line in lines if line.strip() and not line.startswith(("#", DOCUMENT))]
    if len(words) < 4 or sum(1 for line in lines if not line.strip()) < len(words) / 200:
        return False
    widths = [len(line.split("\t") if "\t" in line else line.split()) for line in words]
    usual = max(set(widths), key=widths.count)
    if usual < 2 or widths.count(usual) < 0.98 * len(widths):
        return False
    return usual <= 12 and max(map(len, words)) < 400


def _as_pairs(file: TextFile, ending: str, sample: Sample) -> Guess | None:
    """Two texts a line, with the same between them once in each."""
    if ending in ENDINGS and ending not in (".tsv", ".tab"):
        return None
    filled = [line for line in sample.lines if line.strip()]
    for separator in _SEPARATORS:
        parts = [line.split(separator) for line in filled]
        whole = sum(len(each) == 2 and all(side.strip() for side in each) for each in parts)
        if len(filled) > 1 and whole >= 0.99 * len(parts):
            if separator == "\t" and _has_labels(parts):
                return None
            options = {} if separator == "\t" else {"separator": separator}
            if max(len(side) for each in parts for side in each) <= 60 and separator != "\t":
                options["level"] = "char"
            rows = [[side.strip() for side in each] for each in parts[:_SHOWN]]
            return Guess("pairs", {"translate": options, **_texts(sample.head)}, ["source", "target"], rows)
    return None


def _has_labels(parts: list[list[str]]) -> bool:
    """Whether one of the two sides has few different values, as labels have."""
    sides = [[each[side] for each in parts[1:] if len(each) == 2] for side in (0, 1)]
    return any(len(set(side)) <= max(2, len(side) // 10) for side in sides)


def _as_table(file: TextFile, ending: str, sample: Sample) -> Guess | None:
    """A table of columns that have names, or of numbers alone."""
    if ending not in ENDINGS and not _looks_tabular(sample.lines):
        return None
    options = _layout(sample.lines) if ENDINGS.get(ending, "csv") == "csv" else {}
    suffix = ending if ending in ENDINGS else (".tsv" if "\t" in sample.lines[0] else ".csv")
    if ENDINGS[suffix] == "jsonl" and sample.head.lstrip().startswith("["):
        return _table(file.path, options)  # an array ends where its file ends
    try:
        return _sampled(sample.head + sample.later, suffix, options, sample)
    except OstinatoError:  # a cell of several lines, cut in two perhaps
        return _sampled(sample.head, suffix, options, sample)


def _sampled(text: str, suffix: str, options: dict[str, Any], sample: Sample) -> Guess:
    with tempfile.NamedTemporaryFile("w", suffix=suffix, encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        try:
            return _table(Path(file.name), options, sample.size / len(text))
        except OstinatoError as error:  # which names the sample
            raise DataError(str(error).replace(f"{file.name}: ", "")) from None


def _looks_tabular(lines: list[str]) -> bool:
    counts = [line.count("\t") for line in lines[:50] if line.strip()]
    return len(counts) > 1 and counts[0] > 0 and min(counts) == max(counts)


def _layout(lines: list[str]) -> dict[str, Any]:
    """What CSV does not say of itself: comments, another separator, decimal commas, whether names come first."""
    options: dict[str, Any] = {}
    if lines[0].startswith("#"):
        options["comment"] = "#"
        lines = [line for line in lines if not line.startswith("#")]
    head, body = lines[0] if lines else "", lines[1:50]
    separator = ","
    if head.count(";") > head.count(",") or (";" in head and re.search(r"\d,\d", head)):
        options["separator"], separator = ";", ";"
        if any(re.search(r"(^|;)-?[\d.]*\d,\d+(;|$)", line) for line in body):
            options["decimal"] = ","
    cells = head.split(separator)
    if all(re.fullmatch(r'"?\s*-?[\d.,:/ -]*\d[\d.,:/ -]*"?', cell) for cell in cells):
        options["header"] = False
    return options


def _table(path: Path, options: dict[str, Any], times: float = 1.0) -> Guess:
    with laid_out(layout_of(options)):
        table = read_table(str(path))
        columns = Columns.of(table)
        likely = table_tasks(columns, round(len(table) * times))
    tasks = {task: {**options, **more} for task, more in likely.items()}
    if not tasks:
        raise DataError(
            f"{path.name}: no column of it seems to be one of texts or of numbers to learn from; "
            f"it has {', '.join(table.columns)}"
        )
    return Guess("table", tasks, list(table.columns), _rows(table), {"rows": len(table), "whole": times <= 1.0})


def _rows(table: Table) -> list[list[str]]:
    cells = list(table.columns.values())
    return [
        ["" if column[row] is None else _short(column[row]) for column in cells] for row in range(len(table))[:_SHOWN]
    ]


def _captions(path: Path, images: Path | None) -> Guess:
    """Pictures and what was written of them."""
    from ostinato.data.pictures.captions import read_captions

    captions = read_captions(str(path))
    rows = [[name, text] for name, texts in zip(captions.names, captions.texts, strict=True) for text in texts[:1]]
    options = {} if images is None else {"images": str(images)}
    about = {"pictures": len(captions), "with_pictures": images is not None}
    return Guess("pictures", {"caption": options}, ["image", "caption"], rows[:_SHOWN], about)


def _short(cell: Any) -> str:
    text = str(cell)
    return text if len(text) <= 200 else text[:199] + "…"
