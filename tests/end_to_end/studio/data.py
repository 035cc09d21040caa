"""Small data of every kind that can be dropped, and what is trained on some of it in a second."""

import io
import zipfile
from datetime import date, timedelta
from unittest import mock

import numpy as np
import pytest

import ostinato


def waves(count=60, steps=24, seed=0):
    """A .ts file: half of its cases rise in the second half, half fall."""
    rng = np.random.default_rng(seed)
    lines = ["@problemName waves", "@univariate true", "@classLabel true falls rises", "@data"]
    for case in range(count):
        values = rng.normal(0, 0.1, steps)
        values[steps // 2 :] += (1 if case % 2 else -1) * np.linspace(0, 2, steps - steps // 2)
        lines.append(",".join(f"{value:.4f}" for value in values) + f":{'rises' if case % 2 else 'falls'}")
    return "\n".join(lines) + "\n"


def levels(count=40, steps=12, seed=0):
    """A long table of two channels; to be learned is the mean of the first."""
    rng = np.random.default_rng(seed)
    lines = ["case,t,a,b,mean"]
    for case in range(count):
        a, b = rng.normal(case % 5, 0.5, steps), rng.normal(0, 1, steps)
        lines += [f"c{case},{t},{a[t]:.3f},{b[t]:.3f},{a.mean():.4f}" for t in range(steps)]
    return "\n".join(lines) + "\n"


def sums():
    """Pairs: a sum, and what it makes."""
    return "".join(f"{a}+{b}={a + b}\n" for a in range(20) for b in range(10)).replace("=", "_")


SHAPES = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (40, 60, 200)}


def pictures():
    """(name, PNG, caption) of squares on white."""
    image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    found = []
    for number in range(24):
        name = list(SHAPES)[number % 3]
        side = "left" if number % 2 else "right"
        picture = image.new("RGB", (64, 64), (250, 250, 250))
        picture.paste(SHAPES[name], (6, 20, 28, 42) if side == "left" else (36, 20, 58, 42))
        packed = io.BytesIO()
        picture.save(packed, "PNG")
        found.append((f"{number:02d}.png", packed.getvalue(), f"a {name} square on the {side}"))
    return found


def archive():
    """A zip of these pictures, with their captions beside them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        made = pictures()
        for name, content, _ in made:
            file.writestr(f"photos/{name}", content)
        file.writestr("captions.csv", "image,caption\n" + "".join(f"{name},{text}\n" for name, _, text in made))
    return packed.getvalue()


def shop():
    """Sales that rise with what the offer is, which is known ahead; the table goes on with offers for a week."""
    lines = ["day,sales,offer"]
    for n in range(140):
        offer = (n * 7) % 5
        sales = "" if n >= 133 else f"{10 + 4 * offer + 0.1 * (n % 7):.2f}"
        lines.append(f"{date(2024, 1, 1) + timedelta(n)},{sales},{offer}")
    return "\n".join(lines) + "\n"


def train_small(folder):
    """Runs of a second each in `folder / "runs"`: waves, levels, sums, squares, shop."""
    (folder / "waves.ts").write_text(waves())
    (folder / "waves-valid.ts").write_text(waves(30, seed=1))
    (folder / "levels.csv").write_text(levels())
    (folder / "sums.txt").write_text(sums())
    (folder / "shop.csv").write_text(shop())
    (folder / "pictures").mkdir()
    made = pictures()
    for name, content, _ in made:
        (folder / "pictures" / name).write_bytes(content)
    captions = "image,caption\n" + "".join(f"{name},{text}\n" for name, _, text in made)
    (folder / "captions.csv").write_text(captions)

    def train(task, file, name, **options):
        options |= {"seed": 1, "hidden": options.get("hidden", 16), "threads": 1}
        ostinato.train(task, str(folder / file), out=str(folder / "runs" / name), **options)

    with mock.patch("ostinato.tasks.classify.task.available", return_value=False):  # nothing is drawn
        train("classify", "waves.ts", "waves", valid=str(folder / "waves-valid.ts"), epochs=6)
    train("regress", "levels.csv", "levels", target="mean", id="case", time="t", values="a,b", epochs=10)
    train("translate", "sums.txt", "sums", separator="_", level="char", epochs=16, lr=0.01)
    train("caption", "captions.csv", "squares", images=str(folder / "pictures"), picture_size=32, epochs=40, lr=0.01)
    ahead = {"target": "sales", "time": "day", "future": "offer", "head": "quantile"}
    train("forecast", "shop.csv", "shop", window=14, horizon=7, season=7, epochs=6, **ahead)
