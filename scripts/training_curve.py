"""Draw a run's training curve, as in the README.

python scripts/training_curve.py runs/shakespeare docs/images/training-curve.png "Tiny Shakespeare, by characters"
"""

import sys
from pathlib import Path

from ostinato.plots import training_curve
from ostinato.plots.training import read_metrics

if __name__ == "__main__":
    run, out, title = sys.argv[1:]
    metrics = read_metrics(Path(run) / "metrics.jsonl")
    figure = "bits_per_character" if "bits_per_character" in metrics[0] else "perplexity"
    training_curve(metrics, out, figure=figure, title=title)
