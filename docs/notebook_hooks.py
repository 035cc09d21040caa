"""The notebooks as pages with what they printed and drew, and everything of the gallery as a notebook to open.

Nothing is run here: `scripts/notebooks.py` has run them, and keeps their outputs beside them. mkdocs calls these
functions while it builds (`hooks:` in mkdocs.yml).
"""

import ast
import base64
import json
import re
from pathlib import Path

import jupytext
import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

DOCS = Path(__file__).parent
NOTEBOOKS = DOCS.parent / "notebooks"
EXAMPLES = DOCS.parent / "examples"
PICTURES = DOCS / "images" / "gallery"
#: The plain list stands for whoever reads the page in a clone.
LESSONS, PROGRAMS = re.compile("<!-- notebooks -->.*<!-- /notebooks -->", re.DOTALL), "<!-- examples -->"
OPENED = '<a href="{name}.ipynb" download>Open as a notebook</a>. What stands below the code is what a run of it gave.'
OPENED_KOREAN = (
    '<a href="../../notebooks/{name}.ko.ipynb" download>노트북으로 열기</a>. '
    "코드 아래에 있는 것은 그 코드를 실행한 결과입니다."
)
ENGLISH = "read", "open as a notebook", "{} s, {} s of them computing", ""
KOREAN = "읽기", "노트북으로 열기", "{}초, 그 가운데 계산 {}초", "../"
SHOWN = """from pathlib import Path

from IPython.display import Image, display

for file in sorted(Path().glob("*.png")):
    display(Image(file))"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the notebooks in the navigation."""
    sections = {title: pages for entry in config.nav if isinstance(entry, dict) for title, pages in entry.items()}
    if not any(str(page).startswith("notebooks/") for page in sections["Lessons"]):  # mkdocs asks once a language
        sections["Lessons"] += [f"notebooks/{file.name}" for file in lessons()]
    return config


def on_post_build(config: MkDocsConfig) -> None:
    """A notebook of each lesson and of each example."""
    told = [told for source in lessons() for told in (source, source.with_suffix(".ko.md")) if told.exists()]
    made = {f"notebooks/{source.stem}.ipynb": as_notebook(source) for source in told}
    made |= {f"examples/{program.stem}.ipynb": example_notebook(program) for program in programs()}
    for path, content in made.items():
        file = Path(config.site_dir) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Outputs behind the code of a lesson; the lists of the gallery."""
    path = Path(page.file.src_uri)
    korean = path.name.endswith(".ko.md")  # built a folder deeper; notebooks to open lie beside the English ones
    if path.parent.name == "notebooks" and (outputs := kept(path.name.split(".")[0])):
        return woven(markdown, outputs, OPENED_KOREAN if korean else OPENED)
    return LESSONS.sub(lambda _: lesson_list(korean), markdown).replace(PROGRAMS, program_list(korean))


def lessons() -> list[Path]:
    """Sources of the notebooks, but no translation of one."""
    return sorted(file for file in NOTEBOOKS.glob("[0-9]*.md") if file.name.count(".") == 1)


def programs() -> list[Path]:
    """The examples."""
    return sorted(EXAMPLES.glob("*.py"))


def kept(name: str) -> dict | None:
    """What `scripts/notebooks.py` has kept of a notebook."""
    file = NOTEBOOKS / "outputs" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


# ----------------------------------------------------------------------------------------------------- pages


def woven(markdown: str, outputs: dict, opened: str = OPENED) -> str:
    """A page: prose, code, and behind each cell of code what it gave."""
    parts, cells, heading = [], iter(outputs["cells"]), ""
    for cell in jupytext.reads(markdown, fmt="md").cells:
        if cell.cell_type != "code":
            parts.append(cell.source)
            heading = (re.findall(r"^#+ (.*?)(?: \{#.*\})?$", cell.source, re.MULTILINE) or [heading])[-1]
            continue
        shell = cell.source.startswith("%%bash")
        code = cell.source.removeprefix("%%bash\n")
        parts.append(f"```{'bash' if shell else 'python'}\n{code}\n```")
        for output in next(cells, []):
            picture = output.get("picture")
            parts.append(f"![{heading}](outputs/{picture})" if picture else f"```text\n{output['text']}\n```")
    title, *rest = parts[0].split("\n", 1)
    opened = opened.format(name=outputs["name"])
    return "\n\n".join([title, opened, *(text.strip("\n") for text in rest), *parts[1:]])


def lesson_list(korean: bool = False) -> str:
    """A card for each: picture, title, first sentences, time and links."""
    read, opens, computing, up = KOREAN if korean else ENGLISH
    cards = []
    for source in lessons():
        twin = source.with_suffix(".ko.md")
        told = twin if korean and twin.exists() else source
        text, outputs = told.read_text(encoding="utf-8"), kept(source.stem)
        title, about = re.search(r"^# (.*)\n\n(.*(?:\n.+)*)", text, re.MULTILINE).groups()
        pictures = [one["picture"] for cell in outputs["cells"] for one in cell if "picture" in one] if outputs else []
        shown = f"![{title}](notebooks/outputs/{pictures[-1]})" if pictures else ""
        took = computing.format(round(outputs["seconds"]), round(outputs["processor"])) if outputs else ""
        opened = f'<a href="{up}notebooks/{told.stem}.ipynb" download>{opens}</a>'
        cards.append(
            [shown, f"**{title}**", " ".join(about.split()), f"[{read}](notebooks/{source.name}), {opened}", took]
        )
    return grid(cards)


def program_list(korean: bool = False) -> str:
    """The same of the examples; pictures are those of docs/images/gallery, Korean words those of the page of them."""
    cards, (_, opens, _, up) = [], KOREAN if korean else ENGLISH
    table = (DOCS / "examples.ko.md").read_text(encoding="utf-8") if korean else ""
    told = dict(re.findall(r"^\| `(\w+)\.py` \| (.+?) \|", table, re.MULTILINE))
    for program in programs():
        picture = PICTURES / f"{program.stem}.png"
        shown = f"![{program.stem}](images/gallery/{picture.name})" if picture.exists() else ""
        about = told.get(program.stem) or " ".join(docstring(program).split("\n\n")[0].split())
        opened = f'<a href="{up}examples/{program.stem}.ipynb" download>{opens}</a>'
        cards.append([shown, f"**{program.name}**", about, opened])
    return grid(cards)


def grid(cards: list[list[str]]) -> str:
    """Cards side by side, as many as there is room for."""
    items = ["-   " + "\n\n    ".join(filter(None, card)) for card in cards]
    return '<div class="grid cards" markdown>\n\n' + "\n\n".join(items) + "\n\n</div>"


def docstring(program: Path) -> str:
    """What a program says of itself."""
    return ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or ""


# ------------------------------------------------------------------------------------------------- notebooks


def as_notebook(source: Path) -> str:
    """The notebook, with the outputs that were kept."""
    text = re.sub(r"^<!-- follows: .*-->\n+", "", source.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
    notebook, outputs = jupytext.reads(text, fmt="md"), kept(source.name.split(".")[0])
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, given in zip(cells, outputs["cells"] if outputs else [], strict=False):
        cell.outputs = [as_output(one) for one in given]
    return written(notebook)


def as_output(one: dict) -> nbformat.NotebookNode:
    """A picture, or what was printed."""
    if "text" in one:
        return new_output("stream", text=one["text"] + "\n")
    image = base64.b64encode((NOTEBOOKS / "outputs" / one["picture"]).read_bytes()).decode()
    return new_output("display_data", data={"image/png": image})


def example_notebook(program: Path) -> str:
    """A program, with those of its neighbours that it reads, written, run, and its pictures shown."""
    source = program.read_text(encoding="utf-8")
    needed = [other for other in programs() if re.search(rf"^from {other.stem} import", source, re.MULTILINE)]
    cells = [new_markdown_cell(f"# {program.name}\n\n{docstring(program)}")]
    cells += [new_code_cell(f"%%writefile {one.name}\n{one.read_text(encoding='utf-8')}") for one in [*needed, program]]
    cells += [new_code_cell(f"%run {program.name}"), new_code_cell(SHOWN)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return written(new_notebook(cells=cells, metadata={"kernelspec": kernel}))


def written(notebook: nbformat.NotebookNode) -> str:
    """As a file, the same for the same notebook."""
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index}"
    return nbformat.writes(notebook, version=4) + "\n"
