"""The five shapes of a recurrent network, each on a toy a screen long: what goes in, and which outputs are used.

The shapes, and what each does here:

    one to one             two bits -> are they different?                     (no recurrence at all)
    one to many            a digit -> its name, letter by letter               (as a caption is written)
    many to one            a sentence with "not" in it -> good or bad?         (as a review is judged)
    many to many, aligned  letters -> inside quotation marks, or outside?      (as words are tagged)
    many to many           a number in words -> its digits, once all is read   (as a sentence is translated)

Run it so:

    python examples/topologies.py              # some 10 seconds; draws topologies.png
"""

import random
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

import ostinato
from ostinato.plots import COLOURS, picture, require_matplotlib

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
LETTERS = " abcdefghijklmnopqrstuvwxyz0123456789<>"  # < begins a text, > ends it; 0 pads


def train(model: nn.Module, losses: Iterator[Tensor], steps: int, lr: float = 0.01) -> None:
    """Adam on the next `steps` losses."""
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for _, loss in zip(range(steps), losses, strict=False):
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def repeatedly(loss: Callable[[], Tensor]) -> Iterator[Tensor]:
    """The same question again and again."""
    while True:
        yield loss()


def spelled(texts: list[str]) -> tuple[Tensor, Tensor]:
    """Letters of some texts as ids `[T, N]`, padded, and their lengths `[N]`."""
    ids = [torch.tensor([LETTERS.index(letter) for letter in text]) for text in texts]
    return pad_sequence(ids), torch.tensor([len(text) for text in texts])


# One to one: nothing to remember.
def one_to_one() -> tuple[float, str]:
    """Exclusive or by a net of two layers."""
    pairs, answers = torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), torch.tensor([0.0, 1, 1, 0])
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    train(model, repeatedly(lambda: F.binary_cross_entropy_with_logits(model(pairs)[:, 0], answers)), 300, lr=0.05)
    found = (model(pairs)[:, 0] > 0).float()
    return (found == answers).float().mean().item(), f"1, 0 -> {int(found[2])}"


class Writer(nn.Module):
    """Writes letters from a first state: each letter written is the next step's input."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS), 16)
        self.recurrent = ostinato.GRU(16, hidden_size)
        self.letter = nn.Linear(hidden_size, len(LETTERS))

    def loss(self, state: Tensor, texts: list[str]) -> Tensor:
        """Cross-entropy of every letter given the ones before it: all steps at once, as the answers are known."""
        read, lengths = spelled(["<" + text for text in texts])
        expected, _ = spelled([text + ">" for text in texts])
        hidden, _ = self.recurrent(self.embedding(read), state, lengths=lengths)
        valid = torch.arange(len(read))[:, None] < lengths
        return F.cross_entropy(self.letter(hidden)[valid], expected[valid])

    @torch.no_grad()
    def write(self, state: Tensor, most: int = 12) -> str:
        """One text from a state `[1, 1, H]`, letter by letter, until the mark of the end."""
        text = "<"
        while len(text) <= most and not text.endswith(">"):
            hidden, state = self.recurrent(self.embedding(torch.tensor([[LETTERS.index(text[-1])]])), state)
            text += LETTERS[int(self.letter(hidden[-1, 0]).argmax())]
        return text.strip("<>")


# One to many: the input becomes the first state, then the net goes on from what it wrote.
def one_to_many() -> tuple[float, str]:
    """The names of the digits."""
    digit, writer = nn.Embedding(10, 48), Writer(48)
    model = nn.ModuleList([digit, writer])
    train(model, repeatedly(lambda: writer.loss(digit(torch.arange(10)).unsqueeze(0), ONES)), 120)
    states = digit(torch.arange(10)).unsqueeze(0)
    written = [writer.write(states[:, [i]]) for i in range(10)]
    return sum(map(str.__eq__, written, ONES)) / 10, f"7 -> {written[7]}"


# Many to one: read everything, use the last state.
def many_to_one() -> tuple[float, str]:
    """Whether a film was good, where each "not" turns the meaning round."""
    words = ["the", "film", "was", "very", "not", "good", "bad"]

    def sentences(count: int) -> tuple[list[list[str]], Tensor]:
        found, labels = [], []
        for _ in range(count):
            nots, verdict = random.randint(0, 3), random.choice(["good", "bad"])
            middle = ["not"] * nots + ["very"] * random.randint(0, 2)
            random.shuffle(middle)
            found.append(["the", "film", "was", *middle, verdict])
            labels.append((verdict == "good") != (nots % 2 == 1))
        return found, torch.tensor(labels).float()

    embedding, recurrent, verdict = nn.Embedding(len(words), 8), ostinato.GRU(8, 24), nn.Linear(24, 1)
    model = nn.ModuleList([embedding, recurrent, verdict])

    def scores(batch: list[list[str]]) -> Tensor:
        ids = pad_sequence([torch.tensor([words.index(word) for word in sentence]) for sentence in batch])
        _, last = recurrent(embedding(ids), lengths=torch.tensor(list(map(len, batch))))
        return verdict(last[0])[:, 0]

    def loss() -> Tensor:
        batch, labels = sentences(64)
        return F.binary_cross_entropy_with_logits(scores(batch), labels)

    train(model, repeatedly(loss), 300)
    batch, labels = sentences(500)
    example = ["the", "film", "was", "not", "not", "good"]
    opinion = "good" if scores([example])[0] > 0 else "bad"
    return ((scores(batch) > 0) == labels.bool()).float().mean().item(), f"{' '.join(example)} -> {opinion}"


# Many to many, aligned: one answer at every step, with what was read so far.
def aligned() -> tuple[float, str]:
    """Which letters stand within quotation marks."""

    def texts(count: int, length: int = 24) -> tuple[Tensor, Tensor]:
        marks = (torch.rand(length, count) < 0.2).long()  # [T, N], 1 is a quotation mark
        return marks, (marks.cumsum(0) % 2).float()

    recurrent, inside = ostinato.LSTM(1, 16), nn.Linear(16, 1)
    model = nn.ModuleList([recurrent, inside])

    def scores(marks: Tensor) -> Tensor:
        hidden, _ = recurrent(marks.unsqueeze(-1).float())
        return inside(hidden).squeeze(-1)

    def loss() -> Tensor:
        marks, answers = texts(64)
        return F.binary_cross_entropy_with_logits(scores(marks), answers)

    train(model, repeatedly(loss), 400)
    marks, answers = texts(500)
    text = 'he said "no" and left'
    shown = scores(torch.tensor([[int(letter == '"')] for letter in text]))[:, 0] > 0
    tagged = "".join("^" if within else "." for within in shown)
    return ((scores(marks) > 0) == answers.bool()).float().mean().item(), f"{text} -> {tagged}"


# Many to many, not aligned: one net reads all, its last state is the first state of another that writes.
def translation() -> tuple[float, str]:
    """Numbers below a hundred, from words to digits; some are kept back for the test."""
    names = ONES + TEENS + [ten + (f" {one}" if one != "zero" else "") for ten in TENS for one in ONES]
    unseen = list(range(21, 100, 7))  # their words are known from other numbers
    known = [number for number in range(100) if number not in unseen]
    embedding, reader, writer = nn.Embedding(len(LETTERS), 16), ostinato.GRU(16, 64), Writer(64)
    model = nn.ModuleList([embedding, reader, writer])

    def read(numbers: list[int]) -> Tensor:
        letters, lengths = spelled([names[number] for number in numbers])
        return reader(embedding(letters), lengths=lengths)[1]  # state after each one's own last letter

    train(model, repeatedly(lambda: writer.loss(read(known), list(map(str, known)))), 600, lr=0.005)
    states = read(unseen)
    written = [writer.write(states[:, [i]]) for i in range(len(unseen))]
    right = sum(text == str(number) for text, number in zip(written, unseen, strict=True))
    at = unseen.index(63)
    return right / len(unseen), f"{names[63]} -> {written[at]}"


SHAPES = {
    "one to one": (one_to_one, [0], [0]),
    "one to many": (one_to_many, [0], [0, 1, 2, 3]),
    "many to one": (many_to_one, [0, 1, 2, 3], [3]),
    "many to many, aligned": (aligned, [0, 1, 2, 3], [0, 1, 2, 3]),
    "many to many": (translation, [0, 1, 2], [2, 3, 4]),
}


def draw(results: dict[str, tuple[float, str]], file: str) -> None:
    """Inputs below, states in the middle, outputs above; what the trained net answered beside them."""
    with picture(file) as axes:
        axes.set_title("The five shapes of a recurrent network, and what each answered")
        axes.axis("off")
        for row, (name, (_, inputs, outputs)) in enumerate(SHAPES.items()):
            base = -4.2 * row
            steps = range(max(inputs + outputs) + 1)
            for step in steps:
                for kind, level in (("input", 0), ("state", 1), ("output", 2)):
                    if (kind == "input" and step not in inputs) or (kind == "output" and step not in outputs):
                        continue
                    colour = COLOURS[("input", "state", "output").index(kind)]
                    axes.text(step, base + level, "  ", bbox={"boxstyle": "round", "fc": colour, "ec": "none"})
                arrow = {"arrowstyle": "->", "color": "#444444"}
                if step in inputs:
                    axes.annotate("", (step + 0.1, base + 0.85), (step + 0.1, base + 0.35), arrowprops=arrow)
                if step in outputs:
                    axes.annotate("", (step + 0.1, base + 1.85), (step + 0.1, base + 1.35), arrowprops=arrow)
                if step + 1 in steps:
                    axes.annotate("", (step + 0.95, base + 1.1), (step + 0.3, base + 1.1), arrowprops=arrow)
            accuracy, example = results[name]
            axes.text(5.6, base + 1.5, f"{name}: {accuracy:.0%} right", weight="bold")
            axes.text(5.6, base + 0.4, example.replace(" -> ", "\n  -> "), family="monospace", va="center")
        for kind, colour in zip(("input", "state", "output"), COLOURS, strict=False):
            axes.plot([], [], "s", color=colour, label=kind)
        axes.set(xlim=(-0.5, 13), ylim=(-17.6, 3.2))
        axes.legend(ncols=3, loc="upper right")
        axes.figure.set_size_inches(8, 8)


def main() -> None:
    """Train all five, say how well they do, draw them."""
    require_matplotlib()
    random.seed(1)
    torch.manual_seed(1)
    results = {}
    print(f"{'shape':<23}{'right':>6}  example")
    for name, (learn, _, _) in SHAPES.items():
        results[name] = learn()
        print(f"{name:<23}{results[name][0]:>6.0%}  {results[name][1]}", flush=True)
    draw(results, "topologies.png")


if __name__ == "__main__":
    main()
