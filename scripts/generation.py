"""How fast a language model writes: `python scripts/generation.py [PRESET] [--threads 2]` prints a table.

One text in float32, one by weights of 8 bits, and 64 texts at once, each beside a loop over torch's own cells, of one
text or of 64, in turns, by medians. The model is the benchmark's, with random weights.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ostinato.bench.language.problem import Problem
from ostinato.layers.quantise import quantise
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.lm.options import SamplingOptions
from ostinato.tasks.lm.sampling import choose_each, sample, uniform

LENGTH, TEXTS, TURNS = 300, 64, 7


def one(model: LanguageModel) -> int:
    """A text as `ostinato generate` writes it; how many tokens that is."""
    return len(list(sample(model, [0], LENGTH, SamplingOptions(seed=1))))


@torch.inference_mode()
def many(model: LanguageModel) -> int:
    """Texts side by side, as it writes several."""
    options, stream = SamplingOptions(seed=1), model.stream(TEXTS)
    numbers: list[Iterator[float]] = [uniform(seed) for seed in range(TEXTS)]
    ids = torch.zeros(TEXTS, dtype=torch.long)
    for _ in range(LENGTH):
        ids = torch.tensor(choose_each(stream.step(ids).float(), options, numbers))
    return LENGTH * TEXTS


@torch.inference_mode()
def by_cells(model: LanguageModel, texts: int) -> int:
    """The same by torch.nn.LSTMCell, as a program without this package would."""
    stack = model.recurrent
    cells = []
    for layer in range(stack.num_layers):
        own = {name: getattr(stack, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        cells.append(nn.LSTMCell(own["weight_ih"].shape[1], own["weight_hh"].shape[1]))
        cells[-1].load_state_dict(own)
    state = [(torch.zeros(texts, cell.hidden_size), torch.zeros(texts, cell.hidden_size)) for cell in cells]
    ids = torch.zeros(texts, dtype=torch.long)
    for _ in range(LENGTH):
        x: Tensor = model.embedding(ids)
        for layer, cell in enumerate(cells):
            state[layer] = cell(x, state[layer])
            x = state[layer][0]
        below = model.decoder(x).softmax(-1).cumsum(-1)  # torch.multinomial takes twice as long
        ids = torch.searchsorted(below, below[:, -1:] * torch.rand(texts, 1)).flatten()
        ids.tolist()  # somebody reads them
    return LENGTH * texts


def rates(sides: dict[str, Callable[[], int]]) -> dict[str, float]:
    """Tokens a second of each."""
    for run in sides.values():
        run()
    found: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, run in sides.items():
            began = time.perf_counter()
            found[name].append(run() / (time.perf_counter() - began))
    return {name: statistics.median(each) for name, each in found.items()}


def main() -> None:
    """Measure a preset."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("preset", nargs="?", default="rnnlm")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    model = Problem.make(asked.preset).model.eval()
    small = copy.deepcopy(model)
    quantise(small)
    found = rates({
        "one text": lambda: one(model),
        "one text, weights of 8 bits": lambda: one(small),
        "loop of one": lambda: by_cells(model, 1),
        f"{TEXTS} texts": lambda: many(model),
        f"loop of {TEXTS}": lambda: by_cells(model, TEXTS),
    })  # fmt: skip
    alone, together = found["loop of one"], found[f"loop of {TEXTS}"]
    for name in (name for name in found if "loop" not in name):
        beside = f"{found[name] / together:.2f}" if name.startswith(str(TEXTS)) else ""
        print(f"| {asked.preset} | {name} | {found[name]:,.0f} | {alone:,.0f} | {found[name] / alone:.2f} | {beside} |")


if __name__ == "__main__":
    main()
