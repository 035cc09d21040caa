"""From the plain language model to a better one, an improvement at a time: depth, dropout, tied weights.

A second layer reads what the first has made of the words. Dropout sets half of the numbers between layers to zero in
each step, so that no unit can lean on another: a model this large would otherwise learn the text by heart. Tied
weights let the output layer use the embedding's matrix: what a word means where it is read is what it means where it is
written, with a third of the parameters less. None of this touches the way from step to step.

    python examples/better_rnnlm.py --precision medium       # an hour or two; draws better_rnnlm.png
    python examples/better_rnnlm.py --hidden 200 --epochs 4  # sooner, and not as good
    python examples/better_rnnlm.py --epochs 40              # as long as the book

Options for other texts are those of rnnlm.py. A run that was interrupted goes on with --resume.
"""

import argparse

from rnnlm import add_options, texts

import ostinato
from ostinato.plots import picture, read_metrics, require_matplotlib

#: What is switched on, one after the other; the last is the preset as it is.
PLAIN = {"layers": 1, "dropout": 0.0, "tied": False}
STEPS = {
    "plain": PLAIN,
    "two layers": PLAIN | {"layers": 2},
    "and dropout": {"layers": 2, "tied": False},
    "and tied weights": {},
}
Course = tuple[list[float], list[float]]


def learn(name: str, files: dict, options: argparse.Namespace) -> tuple[ostinato.Run, Course, float]:
    """Train one of them; the run, its perplexity on the validation text by epoch, and the minutes it took."""
    run = ostinato.train(
        "lm",
        files["train"],
        valid=str(files["valid"]),
        test=str(files["test"]),
        out=f"runs/better_rnnlm/{name.replace(' ', '_')}",
        preset="better-rnnlm",
        hidden=options.hidden,
        embed=options.hidden,
        epochs=options.epochs,
        precision=options.precision,
        seed=options.seed,
        **{"resume": True} if options.resume else {"overwrite": True},
        **STEPS[name],
    )
    metrics = read_metrics(run.folder.metrics)
    validated = [line for line in metrics if "valid_perplexity" in line]
    an_epoch = run.folder.resume_point.position().step / options.epochs
    course = [line["step"] / an_epoch for line in validated], [line["valid_perplexity"] for line in validated]
    return run, course, metrics[-1]["seconds"] / 60


def draw(courses: dict[str, Course], file: str) -> None:
    """Perplexity on the validation text, epoch by epoch."""
    with picture(file) as axes:
        for name, (epochs, perplexity) in courses.items():
            axes.plot(epochs, perplexity, marker="o", markersize=3.5, label=f"{name}, best {min(perplexity):.1f}")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set(title="A better language model, step by step", xlabel="epoch", ylabel="perplexity (validation)")
        axes.legend()


def main() -> None:
    """Train all four, print the table, draw their courses."""
    require_matplotlib()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--hidden", type=int, default=650, help="units of a layer, and width of the embedding")
    parser.add_argument("--epochs", type=int, default=8, help="passes over the text, for each of the four")
    parser.add_argument("--precision", default="highest", help="of matrix products: highest, high, medium")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="go on where an earlier call was interrupted")
    options = parser.parse_args()
    files, courses = texts(options), {}
    print(f"{'':<18}{'parameters':>12}{'test perplexity':>17}{'minutes':>9}", flush=True)
    for name in STEPS:
        run, courses[name], minutes = learn(name, files, options)
        parameters = sum(p.numel() for p in run.model.parameters())
        print(f"{name:<18}{parameters:>12,}{run.test['perplexity']:>17.1f}{minutes:>9.1f}", flush=True)
    draw(courses, "better_rnnlm.png")


if __name__ == "__main__":
    main()
