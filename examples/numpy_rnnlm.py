"""Backpropagation through time, by hand: a language model in NumPy alone.

The model is in src/ostinato/byhand, one class a layer, each with a `forward` and a `backward`; read it first. Here it
is looked at from three sides:

1. Is it right? The gradient of a weight is the slope of the loss: move the weight a little to either side, and see.
2. How far back does it reach? The loss of the last word alone, and what comes of it at each step before. From c_t
   straight to c_{t-1} a gradient is multiplied with the forget gate and with nothing else, so the gate's bias decides.
   (Some also comes round by way of h and is added: where nothing is forgotten, the sum grows.)
3. Does it learn? Words of newspaper or of Python's own help texts, in pieces of 35 steps.

    python examples/numpy_rnnlm.py             # a minute
    python examples/numpy_rnnlm.py --updates 50

Where matplotlib is, numpy_rnnlm.png shows the second: how far back the gradient reaches, by the bias.

Options for other texts are those of rnnlm.py.
"""

import argparse
import collections
import importlib.util
import math

import numpy as np
from rnnlm import add_options, texts

from ostinato.byhand import SGD, Rnnlm, clip_grads, pieces
from ostinato.plots import picture

V, D, H = 2000, 100, 100  # words, width of the embedding, units
N, T = 20, 35  # streams side by side, steps of a piece


def read(file: str) -> np.ndarray:
    """A text as numbers of words: the commonest is 1, and whatever is not among the V - 1 commonest is 0."""
    with open(file, encoding="utf-8") as lines:
        words = [word for line in lines for word in (*line.split(), "<eos>")]
    common = collections.Counter(words).most_common(V - 1)
    number = {word: rank for rank, (word, _) in enumerate(common, start=1)}
    return np.array([number.get(word, 0) for word in words])


def is_it_right(words: np.ndarray, targets: np.ndarray) -> None:
    """The derivative written out, beside the slope between two points close by."""
    model = Rnnlm(V, 8, 8, dtype=np.float64)
    model.forward(words, targets)
    model.backward()
    print("1. the gradient, and the slope of the loss\n")
    for name, param, gradient in zip(model.names, model.params, model.grads, strict=True):
        at = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)  # the entry that matters most
        kept, losses = param[at], []
        for moved in (kept + 1e-5, kept - 1e-5):
            param[at] = moved
            model.reset_state()
            losses.append(model.forward(words, targets))
        param[at] = kept
        print(f"   {name:<18} {gradient[at]:+.9f}  {(losses[0] - losses[1]) / 2e-5:+.9f}")


def how_far_back(words: np.ndarray, targets: np.ndarray) -> dict[float, np.ndarray]:
    """Lengths of dL/dc_t, t steps before the last, where L is the loss of the last word alone, for each bias of the
    forget gate; as shares of the length at the last step."""
    shares = {}
    print("\n2. what the last word's loss says of the cell t steps before, of what it says of the last\n")
    print("   forget bias " + "".join(f"{f't-{back}':>9}" for back in (0, 1, 2, 5, 10, 20, 34)))
    for bias in (-1.0, 0.0, 1.0, 3.0):
        model = Rnnlm(V, D, H)
        lstm = model.lstms[0]
        lstm.params[2][:H] = bias  # the first of four blocks: f, g, i, o
        model.forward(words, targets)
        scores = model.loss.backward()
        scores[:, :-1] = 0  # the last word's alone
        lstm.backward(model.affine.backward(scores))
        lengths = np.linalg.norm(lstm.dcs, axis=(0, 2))
        shares[bias] = lengths[::-1] / lengths[-1]
        print(f"   {bias:>+11.1f} " + "".join(f"{shares[bias][back]:>9.2g}" for back in (0, 1, 2, 5, 10, 20, 34)))
    return shares


def draw(shares: dict[float, np.ndarray], file: str) -> None:
    """What is left of the gradient, step by step back."""
    with picture(file) as axes:
        for bias, lengths in shares.items():
            axes.plot(lengths, label=f"{bias:g}")
        axes.set_yscale("log")
        axes.set(title="How far back the last word's gradient reaches", xlabel="steps back", ylabel="share left")
        axes.legend(title="forget bias")


def does_it_learn(batches: list[tuple[np.ndarray, np.ndarray]], updates: int) -> None:
    """Perplexity as training goes on; each piece is predicted before it is learnt from."""
    model, sgd = Rnnlm(V, D, H), SGD(lr=20.0)
    parameters = sum(param.size for param in model.params)
    different = len(np.unique(np.concatenate([inputs.ravel() for inputs, _ in batches])))
    print(
        f"\n3. {parameters:,} parameters learn {len(batches):,} pieces of {N * T} words, {different:,} different ones\n"
    )
    losses = []
    for update in range(1, updates + 1):
        at = (update - 1) % len(batches)
        if at == 0:
            model.reset_state()  # the text begins again
        losses.append(model.forward(*batches[at]))
        model.backward()
        clip_grads(model.grads, 0.25)
        sgd.update(model.params, model.grads)
        if update % max(1, updates // 10) == 0:
            recent = losses[-max(1, updates // 10) :]
            print(f"   after {update:>5} updates: perplexity {math.exp(sum(recent) / len(recent)):.0f}", flush=True)


def main() -> None:
    """Check, look back, learn; draw what was seen looking back."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_options(parser)
    parser.add_argument("--updates", type=int, default=1000, help="of the weights")
    options = parser.parse_args()
    batches = pieces(read(str(texts(options)["train"])), N, T)
    if not batches:
        raise SystemExit(f"expected a text of more than {N * T:,} words")
    is_it_right(*batches[0])
    shares = how_far_back(*batches[0])
    if importlib.util.find_spec("matplotlib"):
        draw(shares, "numpy_rnnlm.png")
    does_it_learn(batches, options.updates)


if __name__ == "__main__":
    main()
