"""Texts that are written side by side: each is the one that is written alone, whoever comes and goes beside it."""

import random

import pytest
import torch
from torch import nn

from ostinato.tasks.lm.model import LanguageModel, row_scores
from ostinato.tasks.lm.options import SamplingOptions
from ostinato.tasks.lm.sampling import choose, choose_each, sample, uniform
from ostinato.tasks.lm.writing import WritingRows

V = 11
WAYS = (
    {"seed": 3},
    {"seed": 4, "temperature": 0.7},
    {"seed": 5, "top_k": 3},
    {"seed": 6, "top_p": 0.6, "temperature": 1.3},
    {"greedy": True},
)


class Text:
    """What `choose` needs of a text."""

    def __init__(self, sampling):
        self.sampling, self.numbers, self.tokens = sampling, uniform(sampling.seed), []


def model_of(cell="lstm", **options):
    torch.manual_seed(2)
    model = LanguageModel(V, 6, 24, 2, cell=cell, **options)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.8)
    return model.eval()


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 21, 64])
@pytest.mark.parametrize("sizes", [(100, 512), (67, 33)])
def test_scores_of_a_row_do_not_depend_on_the_others(rows, sizes):
    torch.manual_seed(rows)
    decoder, x = nn.Linear(sizes[1], sizes[0]), torch.randn(rows, sizes[1])
    found = row_scores(decoder, x)
    torch.testing.assert_close(found, decoder(x))
    for row in random.Random(1).sample(range(rows), min(rows, 5)):
        assert torch.equal(row_scores(decoder, x[row : row + 1])[0], found[row])


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_choice_among_many_rows_is_that_of_one(way):
    torch.manual_seed(1)
    logits, options = torch.randn(40, 57) * 3, SamplingOptions(**way)
    together = choose_each(logits.clone(), options, [uniform(row) for row in range(40)])
    assert together == [choose(logits[row].clone(), options, uniform(row)) for row in range(40)]


@pytest.mark.parametrize(
    "model",
    [
        model_of(),
        model_of("gru", last_size=6, tied=True),
        model_of(cutoffs=(4, 8)),
        model_of(separator=1),
        model_of("lstm", zoneout=0.2),
        pytest.param(model_of("janet"), marks=pytest.mark.slow),
    ],
    ids=["lstm", "tied", "adaptive", "documents", "zoneout", "compiled"],
)
def test_texts_that_come_and_go_are_those_written_alone(model):
    never = {0}
    rows = WritingRows(model, 6, never=never)
    draw = random.Random(7)
    asked = [
        (SamplingOptions(**WAYS[number % len(WAYS)]), [draw.randrange(1, V) for _ in range(draw.randrange(1, 40))])
        for number in range(14)
    ]
    lengths = [draw.randrange(1, 25) for _ in asked]
    expected = [
        list(sample(model, prompt, length, options, never=never))
        for (options, prompt), length in zip(asked, lengths, strict=True)
    ]
    assert [*_written(rows, asked, lengths)] == expected


@torch.inference_mode()
def _written(rows, asked, lengths):
    """Each text, written as the server's engine does it."""
    waiting, active = list(range(len(asked))), {}  # number: its place and the next token to read
    texts = [Text(options) for options, _ in asked]
    draw = random.Random(1)
    while waiting or active:
        while waiting and len(active) < 6:
            number = waiting.pop(0)
            prompt, state = asked[number][1], None
            if rows.batched:
                for begin in range(0, len(prompt) - 1, 7):
                    state = rows.read(prompt[begin : min(begin + 7, len(prompt) - 1)], state)
                token = prompt[-1]
            else:
                scores, state = rows.begin(prompt, None)
                token = rows.choose(scores, [texts[number]])[0]
                texts[number].tokens.append(token)
                if lengths[number] == 1:
                    continue
            active[number] = (rows.join(state), token)
        some = draw.sample([*active], draw.randrange(1, min(len(active), rows.at_once) + 1)) if active else []
        if some:
            scores = rows.step([active[number][0] for number in some], [active[number][1] for number in some])
            for number, token in zip(some, rows.choose(scores, [texts[number] for number in some]), strict=True):
                texts[number].tokens.append(token)
                active[number] = (active[number][0], token)
        for number in some:
            if len(texts[number].tokens) == lengths[number]:
                rows.leave(active.pop(number)[0])
    return [text.tokens for text in texts]
