"""Draw what stands at the head of guides that nothing can be plotted for: `python -m scripts.guide_drawings`."""

from scripts.architecture_drawing import BLUE, GREEN, IMAGES, ORANGE, arrow, box, picture, text

#: From what, by what, to what; each a name and a few words.
Item = tuple[str, str]
WAYS: dict[str, tuple[str, list[Item], Item, list[Item]]] = {
    "bring-your-weights": (
        "Weights of other programs become a run",
        [
            ("PyTorch", ".pt, .safetensors"),
            ("Keras", ".keras, .h5"),
            ("TensorFlow 1", ".npz"),
            ("ONNX", ".onnx"),
            ("the book", ".pkl"),
        ],
        ("import", "gates and biases in our order"),
        [
            ("evaluate", "figures"),
            ("generate, predict", "texts, answers"),
            ("inspect", "gates, units"),
            ("train --from", "go on learning"),
        ],
    ),
    "ship-a-model": (
        "A run leaves in five formats, each compared with it first",
        [("run folder", "weights, JSON")],
        ("export", "write, run, compare"),
        [
            ("ONNX", "servers, phones, browsers"),
            ("C", "two files, no library"),
            ("NumPy", "one .npz, no torch"),
            ("torch.nn", "a script to read"),
            ("int8", "a quarter as large"),
        ],
    ),
    "serve": (
        "Texts of all clients are rows of one batch",
        [("texts", "HTTP, events"), ("answers", "JSON, files"), ("sessions", "a state each"), ("steps", "WebSocket")],
        ("serve", "one batch a model"),
        [("runs/book", "a language model"), ("runs/reviews", "a classifier")],
    ),
    "run-folder": (
        "Training leaves one folder, and all else reads it",
        [("train", "your data")],
        ("run folder", "safetensors, JSON, no code"),
        [
            ("evaluate", "figures"),
            ("predict, generate", "answers, texts"),
            ("inspect", "gates, gradients"),
            ("serve", "HTTP"),
            ("export", "other programs"),
        ],
    ),
    "own-cell": (
        "From the equations of one step to all that a cell does",
        [("step", "the paper's equations"), ("shapes", "of its parameters")],
        ("your cell", "one class"),
        [
            ("Recurrent", "layers, directions, lengths"),
            ("compiled kernel", "from the equations"),
            ("--cell NAME", "every task"),
            ("check_cell", "against an oracle"),
        ],
    ),
    "runtime": (
        "Trained with torch, run without it",
        [("layer", ".safetensors"), ("model", ".npz"), ("run folder", "its recurrent layers")],
        ("ostinato.runtime", "NumPy and the kernels"),
        [
            ("sequences", "[T, N, D] -> [T, N, H]"),
            ("streams", "one step at a time"),
            ("answers", "labels, texts, rows"),
        ],
    ),
    "json": (
        "What a command says, and where",
        [("a command", "--json")],
        ("ostinato", "train, evaluate, ..."),
        [
            ("standard output", "ends with one JSON object"),
            ("standard error", "progress, messages"),
            ("exit status", "0, 2, 130"),
        ],
    ),
    "scikit-learn": (
        "Estimators around the same trainings",
        [("X", "sequences"), ("y", "labels, tags, numbers")],
        ("fit", "the commands' own loop"),
        [("predict", "predict_proba, quantiles"), ("score", "cross-validation"), ("GridSearchCV", "over any option")],
    ),
    "search": (
        "Options are drawn, tried and compared; every trial is a run folder",
        [("options you give", "the same in all trials"), ("a space", "the rest is drawn from it")],
        ("search", "train, stop early, compare"),
        [
            ("trials", "a run folder each"),
            ("best", "a link to one of them"),
            ("search.png", "which option matters"),
            ("--resume", "goes on where it was"),
        ],
    ),
    "several-machines": (
        "Each process takes a share of every batch, and all take the same step",
        [
            ("rank 0", "reads, validates, keeps"),
            ("rank 1", "a share of the batch"),
            ("rank 2", "a share of the batch"),
            ("rank 3", "a share of the batch"),
        ],
        ("gradients", "averaged, once a step"),
        [("the same step", "in every process"), ("run folder", "where rank 0 is"), ("--resume", "when one was lost")],
    ),
    "from-keras": (
        "Keras' matrices become the layer's: transposed, gates in torch's order",
        [("kernel", "columns i f c o"), ("recurrent_kernel", "columns i f c o"), ("bias", "one row, or two")],
        ("import, layout", "(D, 4H) -> (4H, D)"),
        [("weight_ih_l0", "rows i f g o"), ("weight_hh_l0", "rows i f g o"), ("bias_ih_l0", "and bias_hh_l0")],
    ),
    "from-pytorch": (
        "The same layers and weights, and what is more",
        [
            ("nn.RNN, LSTM, GRU", "the same arguments"),
            ("state_dict", "the same names"),
            ("PackedSequence", "or lengths="),
            ("a loop over a cell", "a class with its step"),
        ],
        ("ostinato", "change the name"),
        [
            ("the same numbers", "float32"),
            ("lengths=, resets=", "without packing"),
            ("24 cells and yours", "compiled"),
            ("stream, export, look", "of every layer"),
        ],
    ),
    "from-the-book": (
        "The book's networks, to read and at full speed",
        [
            ("TimeLSTM, Rnnlm, ...", "chapters 5 to 8"),
            ("Rnnlm.pkl", "NumPy's pickle"),
            ("word ids", "first come, first"),
        ],
        ("the same names", "here"),
        [
            ("ostinato.byhand", "NumPy, page by page"),
            ("ostinato.LSTM, ...", "compiled, with autograd"),
            ("ostinato import", "a run of its weights"),
            ("--preset rnnlm", "trained by one command"),
        ],
    ),
    "when-training-goes-wrong": (
        "What is watched while a model learns, and what is said",
        [
            ("loss", "not finite, at a guess"),
            ("validation", "rises, stands still"),
            ("gradients", "vanish, always clipped"),
            ("units", "dead, saturated"),
        ],
        ("advice", "once, while it happens"),
        [("what is seen", "in numbers"), ("what it means", "in a sentence"), ("what to do", "an option to try")],
    ),
    "text-data": (
        "From files to what a model reads",
        [("files", "plain, packed, folders"), ("standard input", "-")],
        ("tokenizer", "char, word, bpe"),
        [("ids", "cached on disk"), ("streams", "N side by side"), ("pieces", "T steps each")],
    ),
}
WIDE, HIGH, GAP, MARGIN = 176, 46, 10, 10


def column(items: list[Item], x: float, height: float, fill: str) -> tuple[list[str], list[float]]:
    """Boxes under one another in the middle of a height, and the lines on which their arrows lie."""
    top = MARGIN + (height - len(items) * (HIGH + GAP) + GAP) / 2
    parts, lines = [], []
    for place, (name, what) in enumerate(items):
        y = top + place * (HIGH + GAP)
        parts += [box(x, y, WIDE, HIGH, fill), text(x + WIDE / 2, y + 19, name, bold=True)]
        parts.append(text(x + WIDE / 2, y + 36, what, 11))
        lines.append(y + HIGH / 2)
    return parts, lines


def way(title: str, sources: list[Item], by: Item, targets: list[Item]) -> str:
    """Sources on the left, what takes them in the middle, what comes of them on the right."""
    reach = 44
    height = max(len(sources), len(targets)) * (HIGH + GAP) - GAP
    middle = MARGIN + WIDE + reach
    right = middle + WIDE + reach
    left_parts, left_lines = column(sources, MARGIN, height, BLUE)
    right_parts, right_lines = column(targets, right, height, GREEN)
    parts = [*left_parts, *right_parts, box(middle, MARGIN, WIDE, height, ORANGE)]
    centre = MARGIN + height / 2
    parts += [
        text(middle + WIDE / 2, centre - 4, by[0], 15, bold=True),
        text(middle + WIDE / 2, centre + 15, by[1], 11),
    ]
    parts += [arrow(middle - reach + 2, y, middle - 2, y) for y in left_lines]
    parts += [arrow(right - reach + 2, y, right - 2, y) for y in right_lines]
    return picture(right + WIDE + MARGIN, height + 2 * MARGIN, parts, title)


def unrolled(steps: int = 5) -> str:
    """One cell over the steps of a sequence: inputs below, outputs above, the state from left to right."""
    parts, apart, y = [], 150, 76
    for t in range(steps):
        x = 70 + t * apart
        parts += [box(x, y, 92, 56, ORANGE), text(x + 46, y + 25, "cell", 15, bold=True)]
        parts += [text(x + 46, y + 43, "the same weights", 10), text(x + 46, 22, f"y{'₁₂₃₄₅₆₇₈'[t]}", 15, bold=True)]
        parts += [arrow(x + 46, y - 2, x + 46, 32), arrow(x + 46, y + 100, x + 46, y + 58)]
        parts.append(text(x + 46, y + 118, f"x{'₁₂₃₄₅₆₇₈'[t]}", 15, bold=True))
        parts.append(arrow(x - 56 + (t == 0) * 14, y + 28, x - 2, y + 28))
        parts.append(text(x - 28, y + 20, f"h{'₀₁₂₃₄₅₆₇'[t]}", 13))
    x = 70 + steps * apart
    parts += [arrow(x - 56, y + 28, x - 8, y + 28), text(x - 28, y + 20, f"h{'₀₁₂₃₄₅₆₇₈'[steps]}", 13)]
    return picture(x + 10, y + 132, parts, "A recurrent layer unrolled over five time steps")


def drawings() -> dict[str, str]:
    """Content by file name."""
    return {"unrolled.svg": unrolled()} | {f"way-{name}.svg": way(*parts) for name, parts in WAYS.items()}


if __name__ == "__main__":
    for name, content in drawings().items():
        (IMAGES / name).write_text(content, encoding="utf-8")
