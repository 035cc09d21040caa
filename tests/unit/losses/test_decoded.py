"""The decoder's loss against its formula, token by token."""

import math
from typing import NamedTuple

import pytest
import torch

from ostinato.core.batch import Batch
from ostinato.evaluation.decoded import decoded_loss
from ostinato.losses import decoded_cross_entropy

T, N, R, V = 4, 3, 5, 6
LENGTHS = torch.tensor([4, 1, 2])


class Output(NamedTuple):
    hidden: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor


def example():
    torch.manual_seed(0)
    output = Output(torch.randn(T, N, R), torch.randn(V, R), torch.randn(V))
    more = {"target_lengths": LENGTHS}
    return output, Batch(torch.zeros(1, N), torch.randint(0, V, (T, N)), more=more, counted=int(LENGTHS.sum()))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_mean_over_the_tokens_within_the_lengths(smoothing):
    output, batch = example()
    total = 0.0
    for n in range(N):
        for t in range(LENGTHS[n]):
            logits = (output.weight @ output.hidden[t, n] + output.bias).tolist()
            norm = math.log(sum(math.exp(value) for value in logits))
            for token, value in enumerate(logits):
                expected = smoothing / V + (1 - smoothing) * (token == int(batch.targets[t, n]))
                total -= expected * (value - norm)
    assert float(decoded_cross_entropy(output, batch, smoothing)) == pytest.approx(total / 7, rel=1e-5)


def test_padding_reaches_neither_loss_nor_gradient():
    output, batch = example()
    clean = decoded_cross_entropy(output, batch)
    hidden = output.hidden.clone()
    hidden[1:, 1] = torch.nan
    hidden.requires_grad_()
    loss = decoded_cross_entropy(output._replace(hidden=hidden), batch)
    loss.backward()
    assert loss == clean
    assert not hidden.grad[1:, 1].any()
    assert hidden.grad[0, 1].any()


def test_several_batches_weigh_by_their_tokens():
    output, batch = example()
    short = Batch(batch.inputs, batch.targets, more={"target_lengths": torch.tensor([1, 0, 0])}, counted=1)

    def model(inputs, **more):
        return output

    expected = (float(decoded_cross_entropy(output, batch)) * 7 + float(decoded_cross_entropy(output, short))) / 8
    assert decoded_loss(model, [batch, short]) == pytest.approx(expected)
