"""One to many: pictures of shapes, drawn here, and a model that says what they show.

    python examples/shapes.py [--pictures 4000] [--seconds 150] [--out shapes]

Each picture has one shape: a colour, a form, a place. The model has never seen the test pictures.
"""

import argparse
import csv
import random
from pathlib import Path

from PIL import Image, ImageDraw

import ostinato

COLOURS = {
    "red": (214, 60, 50),
    "green": (50, 160, 80),
    "blue": (50, 90, 200),
    "yellow": (235, 200, 50),
    "purple": (140, 70, 170),
    "black": (25, 25, 25),
}
FORMS = ("circle", "square", "triangle", "cross")
PLACES = {"top left": (0, 0), "top right": (1, 0), "centre": (0.5, 0.5), "bottom left": (0, 1), "bottom right": (1, 1)}
SIZE = 64


def draw(colour: str, form: str, place: str, chance: random.Random) -> Image.Image:
    """A picture of a shape, of a size and a shade that vary, not quite where it should be."""
    grey = chance.randint(215, 255)
    picture = Image.new("RGB", (SIZE, SIZE), (grey, grey, grey))
    radius = chance.randint(7, 11)
    x, y = (14 + 36 * at + chance.uniform(-3, 3) for at in PLACES[place])
    box = (x - radius, y - radius, x + radius, y + radius)
    shade = tuple(max(0, min(255, value + chance.randint(-15, 15))) for value in COLOURS[colour])
    pen = ImageDraw.Draw(picture)
    if form == "circle":
        pen.ellipse(box, fill=shade)
    elif form == "square":
        pen.rectangle(box, fill=shade)
    elif form == "triangle":
        pen.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=shade)
    else:
        thin = radius // 3
        pen.rectangle((x - radius, y - thin, x + radius, y + thin), fill=shade)
        pen.rectangle((x - thin, y - radius, x + thin, y + radius), fill=shade)
    return picture


def draw_all(folder: Path, pictures: int, seed: int = 1) -> None:
    """Pictures, their captions, and the names of the last tenth, to test on."""
    chance = random.Random(seed)
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(pictures):
        what = chance.choice(list(COLOURS)), chance.choice(FORMS), chance.choice(list(PLACES))
        name = f"{number:05}.png"
        draw(*what, chance).save(folder / "pictures" / name)
        rows.append((name, f"a {what[0]} {what[1]} at the {what[2]}"))
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])
    (folder / "test.txt").write_text("".join(f"{name}\n" for name, _ in rows[-(pictures // 10) :]), encoding="utf-8")


def show(names: list[str], captions: list[str], folder: Path, file: Path) -> None:
    """Some pictures, each with what the model says."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    for axes, name, caption in zip(figure.subplots(2, 4).flat, names, captions, strict=False):
        axes.imshow(Image.open(folder / "pictures" / name))
        axes.set_title(caption.removeprefix("a "), fontsize=9)
        axes.axis("off")
    figure.savefig(file)


def main() -> None:
    """Draw, train, test, show."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, default=4000)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--out", type=Path, default=Path("shapes"))
    options = parser.parse_args()
    draw_all(options.out, options.pictures)
    run = ostinato.train(
        "caption",
        options.out / "captions.csv",
        out=options.out / "run",
        images=str(options.out / "pictures"),
        test=str(options.out / "test.txt"),
        time_limit=options.seconds,
        hidden=128,
        batch=32,
        dropout=0.0,
        overwrite=True,
    )
    assert run.test is not None
    print(f"{run.test['examples']} pictures never seen: exact match {run.test['exact_match']:.4f}")
    names = (options.out / "test.txt").read_text().split()[:8]
    captions = run.predict(options.out / "test.txt", beam=1)[:8]
    show(names, captions, options.out, options.out / "shapes.png")


if __name__ == "__main__":
    main()
