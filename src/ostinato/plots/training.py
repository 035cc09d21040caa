"""How a training went."""

import json
from pathlib import Path
from typing import Any

from ostinato.core.figures import shown
from ostinato.plots.style import label, marker_of, picture

_LABELS = {"bits_per_character": "bits a character", "perplexity": "perplexity", "loss": "loss (nats a token)"}


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def training_curve(metrics: list[dict[str, Any]], out: str | Path, *, figure: str, title: str = "Training") -> None:
    """Draw training and validation over the tokens read.

    Args:
        metrics: lines of metrics.jsonl.
        out: picture to write, .png or .svg.
        figure: which figure: "bits_per_character", "perplexity" or "loss".
        title: over the picture.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    trained = [(line["tokens"] / 1e6, line[figure]) for line in metrics if figure in line]
    validated = [(line["tokens"] / 1e6, line[f"valid_{figure}"]) for line in metrics if f"valid_{figure}" in line]
    with picture(out) as axes:
        if trained:
            marker = marker_of(len(trained))
            axes.plot(*zip(*trained, strict=True), linewidth=1.2, marker=marker, markersize=3, label="training")
        if validated:
            axes.plot(*zip(*validated, strict=True), marker="o", markersize=3.5, linewidth=1.6, label="validation")
            tokens, best = min(validated, key=lambda point: point[1])
            axes.annotate(shown(best, 2), (tokens, best), xytext=(0, 8), textcoords="offset points", ha="center")
        axes.set(title=label(title), xlabel="tokens read (millions)", ylabel=_LABELS.get(figure, figure))
        if figure == "perplexity":
            axes.set_yscale("log")
        axes.legend()
