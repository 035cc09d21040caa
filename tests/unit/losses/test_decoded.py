"""The decoder's loss against its formula, token by token."""

import importlib
import math
from typing import NamedTuple

import pytest
import torch
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.evaluation.decoded import decoded_loss
from ostinato.losses import decoded_cross_entropy, sequence_cross_entropy

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


@pytest.mark.parametrize("tagged", [False, True])
def test_batches_of_many_lengths_are_computed_in_few_shapes(tagged, monkeypatch):
    """Torch's products in bfloat16 keep code for every number of rows, and making it took half of a training."""
    seen = set()
    module = "cross_entropy" if tagged else "decoded"
    computed = importlib.import_module(f"ostinato.losses.{module}").linear_cross_entropy

    def counting(rows, *others):
        seen.add(len(rows))
        return computed(rows, *others)

    monkeypatch.setattr(f"ostinato.losses.{module}.linear_cross_entropy", counting)
    long, wide = 40, 8
    for precision in ("highest", "medium"):
        monkeypatch.setattr("torch.get_float32_matmul_precision", lambda precision=precision: precision)
        seen.clear()
        for tokens in range(130, 256):
            lengths = torch.full((wide,), tokens // wide)
            lengths[0] += tokens % wide
            output = Output(*(torch.randn(size, requires_grad=True) for size in ((long, wide, R), (V, R), (V,))))
            targets = torch.randint(0, V, (long, wide))
            if tagged:
                loss = sequence_cross_entropy(output, Batch(targets, targets, lengths=lengths))
            else:
                loss = decoded_cross_entropy(output, Batch(targets, targets, more={"target_lengths": lengths}))
            there = torch.arange(long)[:, None] < lengths
            expected = F.cross_entropy((output.hidden @ output.weight.T + output.bias)[there], targets[there])
            torch.testing.assert_close(loss, expected, rtol=1e-2, atol=1e-2)
            given, alike = (torch.autograd.grad(each, output) for each in (loss, expected))
            for own, like in zip(given, alike, strict=True):
                torch.testing.assert_close(own, like, rtol=2e-2, atol=2e-3)
        assert len(seen) == (126 if precision == "highest" else 8)
