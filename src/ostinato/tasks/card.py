"""The short model card in a run folder: a task gives its facts, one writer writes them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from ostinato.checkpoint.position import Position
from ostinato.tasks.trained import Trained


class CardFacts(msgspec.Struct, kw_only=True):
    """What a task says of a run, in words.

    Attributes:
        title: what it is.
        model: what it is made of; the number of parameters follows.
        about: lines before the training's.
        trained_on: data; the number of steps follows.
        validated_on: data, and what for.
        best: figures there; the step follows.
        more: lines between validation and test.
        tested: test data and figures, where there are any.
        use: a line of Python that has `run`.
        command: what to call in a shell, in place of `use`.
    """

    title: str
    model: str
    about: list[str] = []
    trained_on: str
    validated_on: str
    best: str
    more: list[str] = []
    tested: str | None = None
    use: str = ""
    command: str = ""


def write_card(facts: CardFacts, run: Trained, position: Position) -> str:
    """The card of a run, Markdown; its training ended at this position."""
    parameters = sum(p.numel() for p in run.model.parameters())
    items = [
        *facts.about,
        f"trained on: {facts.trained_on}, {position.step:,} steps",
        f"{facts.validated_on}, {facts.best} at step {position.best_step:,}",
        *facts.more,
        *([] if facts.tested is None else [f"test: {facts.tested}"]),
    ]
    use = ["```python", "import ostinato", "", f'run = ostinato.load("{run.folder.path}")', facts.use, "```"]
    lines = [
        f"# {facts.title}",
        "",
        f"{facts.model}, {parameters:,} parameters. Made by ostinato {run.config['versions']['ostinato']}.",
        "",
        *(f"- {line}" for line in items),
        "",
        *(["```bash", facts.command, "```"] if facts.command else use),
        "",
    ]
    return "\n".join(lines)


def files_of(part: Mapping[str, Any]) -> str:
    """The names of a part's files, as config.json records them."""
    return ", ".join(part["files"])


def valid_source(data: Mapping[str, Any], held_out: str, unit: str = "") -> str:
    """What was validated on (`held_out`: what to call what was held out), and where not all of it is read while
    training, how much, counted in `unit`; runs of early versions do not say."""
    valid = data["valid"]
    used = f" ({valid['used']:,} of {valid[unit]:,} {unit})" if unit and "used" in valid else ""
    return f"validation: {held_out if data['held_out'] else files_of(valid)}{used}"
