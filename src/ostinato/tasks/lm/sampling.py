"""Writing on: one token at a time, each drawn from what the model predicts after all before it."""

from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor

from ostinato.kernels.draws import draw
from ostinato.tasks.lm.ensemble import LanguageModelEnsemble
from ostinato.tasks.lm.model import LanguageModel, row_scores
from ostinato.tasks.lm.options import SamplingOptions


@torch.inference_mode()
def sample(
    model: LanguageModel | LanguageModelEnsemble,
    prompt: Sequence[int],
    length: int,
    options: SamplingOptions,
    *,
    never: Collection[int] = (),
) -> Iterator[int]:
    """Yield `length` tokens that go on from a prompt of one id or more, none of those in `never`; the model is in eval
    mode.

    The prompt is read once, as a whole; from then on each step reads one token, by `LanguageModel.stream`.
    """
    if length < 1:
        return
    numbers = uniform(options.seed)
    forbidden = torch.tensor(sorted(never), dtype=torch.long)
    output = model(torch.tensor(prompt).unsqueeze(1))
    if isinstance(model, LanguageModelEnsemble):
        scores = output.last()[0]
    else:  # only the last step's scores, however long the prompt
        scores = row_scores(model.decoder, output.hidden[-1])[0].float()
    stream = None
    while True:
        if never:
            scores.index_fill_(0, forbidden, -torch.inf)
        token = choose(scores, options, numbers)
        yield token
        length -= 1
        if not length:
            return
        stream = stream or model.stream(1, output.state)
        scores = stream.step(torch.tensor([token]))[0].float()


def uniform(seed: int | None) -> Iterator[float]:
    """Yield numbers between 0 and 1, one for each draw; always others where the seed is None.

    Made many at a time: a call of torch takes longer than a hundred numbers.
    """
    generator = torch.Generator()  # of the CPU, whatever computes
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    while True:
        yield from torch.rand(256, dtype=torch.float64, generator=generator, device="cpu").tolist()


def choose(logits: Tensor, options: SamplingOptions, numbers: Iterator[float]) -> int:
    """One token from its scores `[V]`: the best, or a draw at a temperature among the top k and the top p.

    Top k comes before top p, and both look at the probabilities at the given temperature. A draw takes one of
    `numbers`, uniform between 0 and 1.
    """
    return choose_each(logits.unsqueeze(0), options, [numbers])[0]


def choose_each(logits: Tensor, options: SamplingOptions, numbers: Sequence[Iterator[float]]) -> list[int]:
    """The same for each of several, by their scores `[N, V]` and with numbers of their own: what one alone would be."""
    best: list[int]
    if options.greedy or options.temperature == 0:
        best = logits.argmax(-1).tolist()
        return best
    if options.temperature != 1:
        # from the best one down, so that no temperature, however low, makes infinities of several
        logits = (logits - logits.amax(-1, keepdim=True)) / max(options.temperature, 1e-30)
    if 0 < options.top_k < logits.shape[-1]:
        kept = logits.topk(options.top_k).indices
        logits = torch.full_like(logits, -torch.inf).scatter(-1, kept, logits.gather(-1, kept))
    probabilities = logits.softmax(-1)
    if options.top_p < 1:
        ordered, order = probabilities.sort(descending=True)
        beyond = ordered.cumsum(-1) - ordered >= options.top_p  # the token that crosses the line still counts
        probabilities.scatter_(-1, order, ordered.masked_fill(beyond, 0))
    return draw(probabilities, [next(own) for own in numbers])
