"""Pages that write themselves: a cell, a room, a command or a decision record needs no edit of the site's list.

mkdocs calls these functions while it builds (`hooks:` in mkdocs.yml).
"""

import ast
import inspect
import io
import json
import os
import re
import textwrap
from contextlib import redirect_stdout, suppress
from functools import cache
from pathlib import Path

import torch
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import ostinato.cells  # noqa: F401  registers those of the package
from ostinato.bench.cells.report import means
from ostinato.bench.pages import about, markdown_table
from ostinato.cells.contract import Cell
from ostinato.cli.arguments import COMMANDS, parse
from ostinato.config.cells import CELL_NAMES
from ostinato.core.registry import lookup
from ostinato.kernels import Request, find
from ostinato.tasks import TRAIN_OPTIONS

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "src" / "ostinato"
SCHEMA = re.compile(r"<!-- schema: (\S+) -->")
SPEEDS = "<!-- speeds of cells -->"
MEASURED = re.compile(r"\]\(\.\./\.\./benchmarks/results/([\w.-]+\.png)\)")
RESULTS = DOCS.parent / "benchmarks" / "results"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the generated pages in the navigation."""
    sections = {title: pages for entry in config.nav if isinstance(entry, dict) for title, pages in entry.items()}
    if sections["Command line"]:
        return config  # mkdocs asks once a language
    sections["Command line"] += [f"cli/{page_name(path)}.md" for path in COMMANDS]
    sections["Python"] += [f"api/{room.name}.md" for room in rooms()]
    sections["Cells"] += [f"api/cells/{name}.md" for name in CELL_NAMES]
    sections["Decisions"] += sorted(f"adr/{file.name}" for file in (DOCS / "adr").glob("*.md"))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Make the generated pages. Some of them lie in the repository too, as a few words on where to find the page, so
    that links lead somewhere in a clone."""
    for path, content in made().items():
        if stub := files.get_file_from_path(path):
            files.remove(stub)
        files.append(File.generated(config, path, content=content))
    for picture in RESULTS.glob("*.png"):
        files.append(File.generated(config, f"images/{picture.name}", abs_src_path=str(picture)))
    return files


@cache
def made() -> dict[str, str]:
    """The pages by their paths; mkdocs asks once a language."""
    pages = {f"cli/{page_name(path)}.md": command_page(path) for path in COMMANDS}
    pages |= {f"api/{room.name}.md": room_page(room) for room in rooms()}
    pages |= {f"api/cells/{name}.md": cell_page(name) for name in CELL_NAMES}
    return pages


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put a table in the place of `<!-- schema: NAME -->`, from docs/schemas, of `COMMAND-*` one a task; and one of
    what the benchmark of cells found in the place of SPEEDS. Pictures of results lie elsewhere in the repository."""
    markdown = MEASURED.sub(r"](../images/\1)", markdown)
    if SPEEDS in markdown:
        markdown = markdown.replace(SPEEDS, speeds())
    return SCHEMA.sub(lambda found: schema_tables(found[1]), markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leave the source of the package out of the index of the search, which it would make three times as large."""
    return html.replace(
        '<details class="mkdocstrings-source">', '<details class="mkdocstrings-source" data-search-exclude>'
    )


def speeds() -> str:
    """What `ostinato bench cells` found on the machine that was measured last."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in RESULTS.glob("cells-*.json")]
    if not results:
        return "Nothing was measured yet."
    latest = max(results, key=lambda result: max(table["measured"] for table in result["tables"]))
    threads = max(table["threads"] for table in latest["tables"])
    tables = [t for t in latest["tables"] if t["work"] == "training" and t["threads"] == threads]
    return f"{markdown_table(means(tables))}\n\n{about(latest['machine'])} {threads} threads."


# ---------------------------------------------------------------------------------------------------- commands


def page_name(path: tuple[str, ...]) -> str:
    return "-".join(path)


def command_page(path: tuple[str, ...]) -> str:
    """What `ostinato COMMAND --help-all` prints; for a training also its presets."""
    printed = io.StringIO()
    os.environ["COLUMNS"] = "88"  # as wide as a block of code on the page
    with redirect_stdout(printed), suppress(SystemExit):
        parse([*path, "--help-all"])
    help_text = "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())
    name = " ".join(path)
    page = f"# ostinato {name}\n\n```text\n$ ostinato {name} --help-all\n{help_text}\n```\n"
    presets = getattr(COMMANDS[path], "PRESETS", {})
    return page + preset_table(presets) if presets else page


def preset_table(presets: dict[str, dict]) -> str:
    """Presets side by side."""
    options = list(dict.fromkeys(option for preset in presets.values() for option in preset))
    head = f"| option | {' | '.join(presets)} |\n|---|{'---|' * len(presets)}\n"
    rows = [
        f"| --{option.replace('_', '-')} | {' | '.join(str(p.get(option, '')) for p in presets.values())} |"
        for option in options
    ]
    return f"\n## Presets\n\nAn empty field is the default.\n\n{head}" + "\n".join(rows) + "\n"


# ------------------------------------------------------------------------------------------------------- rooms


def rooms() -> list[Path]:
    """The package's folders, by name."""
    return sorted(file.parent for file in PACKAGE.glob("*/__init__.py"))


def room_page(room: Path) -> str:
    """A room's modules. Cells have pages of their own; the command line is documented by its help."""
    parts = [f"# ostinato.{room.name}", summary(room / "__init__.py")]
    for file in sorted(room.rglob("[!_]*.py"), key=lambda file: (len(file.parts), file)):
        if room.name == "cells" and file.stem in CELL_NAMES:
            continue
        module = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        parts.append(f"::: ostinato.{module}\n    options:\n      show_root_full_path: true")
    if room.name == "cells":
        parts.append("## The cells\n\n" + "\n".join(f"- [`{name}`](cells/{name}.md)" for name in CELL_NAMES))
    return "\n\n".join(parts) + "\n"


def summary(file: Path) -> str:
    return ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""


# ------------------------------------------------------------------------------------------------------- cells


def cell_page(name: str) -> str:
    """Equations, parameters, options and source of a cell."""
    kind = lookup(name)
    examples: list[Cell] = list(kind.examples())
    plain = examples[0]
    options = [
        parameter
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.name not in ("input_size", "hidden_size", "bias")
    ]
    kernel = find(plain, Request(torch.float32, "cpu", steps=1))
    runs_on = f"`{kernel.name}`" + (f" ({kernel.reason})" if kernel.reason else "")
    lines = [
        f"# {name}",
        f'`ostinato.Recurrent("{name}", input_size, hidden_size)`; on the command line `--cell {name}`.',
        f"- Paper: {kind.paper}",
        f"- Gates, in the order of the weights' rows: {', '.join(f'`{gate}`' for gate in kind.gates)}",
        f"- State: {', '.join(f'`{field}`' for field in kind.State._fields)}",
        f"- Runs on, float32 on the CPU: {runs_on}",
    ]
    if options:
        lines.append("- Options: " + ", ".join(f"`{option.name}={option.default!r}`" for option in options))
    page = lines[0] + "\n\n" + lines[1] + "\n\n" + "\n".join(lines[2:]) + "\n\n"
    page += f"{summary(PACKAGE / 'cells' / f'{name}.py')}\n\n"
    page += f"::: ostinato.cells.{name}.{kind.__name__}\n    options:\n      members: false\n\n"
    page += "## Parameters\n\n" + parameter_table(examples)
    source = textwrap.dedent(inspect.getsource(kind.step))
    return page + f"\n## The step\n\n```python\n{source}```\n"


def parameter_table(examples: list[Cell]) -> str:
    """Shapes of every example's parameters."""
    table = "As torch names them, followed in a layer by `_l0`, `_l1`, ... and `_reverse`. For some configurations:\n\n"
    for cell in examples:
        given = {field: value for field, value in vars(cell).items() if field not in ("input_size", "hidden_size")}
        shown = ", ".join(f"{field}={value!r}" for field, value in given.items())
        shapes = ", ".join(f"`{name}` {list(declared.shape)}" for name, declared in cell.parameters().items())
        table += f"- D={cell.input_size}, H={cell.hidden_size}, {shown}: {shapes}\n"
    return table


# ----------------------------------------------------------------------------------------------------- schemas


def schema_tables(name: str) -> str:
    """One table; of `COMMAND-*` that of each task that has one, under a heading."""
    if not name.endswith("-*"):
        return schema_table(name)
    command = name.removesuffix("-*")
    tasks = [task for task in TRAIN_OPTIONS if (DOCS / "schemas" / f"{command}-{task}.json").exists()]
    return "\n\n".join(f"### {command}, task {task}\n\n{schema_table(f'{command}-{task}')}" for task in tasks)


def schema_table(name: str) -> str:
    """A table of an object's keys; those of objects within, and of lists, below them with their path."""
    schema = json.loads((DOCS / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    rows = "\n".join(schema_rows(schema, ""))
    if besides := schema["additionalProperties"]:
        kinds = besides["type"] if isinstance(besides["type"], list) else [besides["type"]]
        rows += f"\n| any other | {' or '.join(kinds)} | by the data | {besides['description']} |"
    return f"| key | type | present | meaning |\n|---|---|---|---|\n{rows}\n\n[Schema](../schemas/{name}.json)"


def schema_rows(schema: dict, prefix: str) -> list[str]:
    rows = []
    for key, value in schema["properties"].items():
        kinds = value["type"] if isinstance(value["type"], list) else [value["type"]]
        present = "always" if key in schema.get("required", []) else value.get("x-when", "sometimes")
        shown = " or ".join(kinds) + (f" of {value['items']['type']}" if "items" in value else "")
        rows.append(f"| `{prefix}{key}` | {shown} | {present} | {value['description']} |")
        if "properties" in value:
            rows += schema_rows(value, f"{prefix}{key}.")
        if "properties" in value.get("items", {}):
            rows += schema_rows(value["items"], f"{prefix}{key}[].")
    return rows
