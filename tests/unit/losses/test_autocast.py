"""Losses under autocast, and of models in bfloat16, against float32."""

import copy

import pytest
import torch
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.layers.tied import tied_embedding
from ostinato.losses import linear_cross_entropy, sequence_cross_entropy
from ostinato.tasks.lm.model import LanguageModel

V, E, T, N = 60, 16, 12, 8
KINDS = [{"tied": True}, {"tied": False}, {"cutoffs": (10, 30)}]
IDS = torch.randint(0, V, (T + 1, N), generator=torch.Generator().manual_seed(3))
BATCH = Batch(IDS[:-1], IDS[1:], lengths=torch.tensor([T, T, 3, T, T, 0, T, 7]))


@pytest.fixture(params=KINDS, ids=lambda kind: next(iter(kind)) + str(next(iter(kind.values()))))
def model(request):
    torch.manual_seed(0)
    return LanguageModel(V, E, E, 2, **request.param)


def loss_and_gradients(model, *, autocast=False, backward_inside=False):
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        loss = sequence_cross_entropy(model(BATCH.inputs), BATCH)
        if backward_inside:
            loss.backward()
    if not backward_inside:
        loss.backward()
    return loss.detach(), {name: p.grad for name, p in model.named_parameters()}


def assert_nearly(found, expected, share):
    """Errors as a share of a gradient's length."""
    for name, gradient in expected.items():
        assert (found[name].float() - gradient).norm() <= share * gradient.norm(), name


@pytest.mark.parametrize("inside", [False, True], ids=["backward outside", "backward inside"])
def test_under_autocast(model, inside):
    expected, gradients = loss_and_gradients(copy.deepcopy(model))
    loss, found = loss_and_gradients(model, autocast=True, backward_inside=inside)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=2e-3, atol=0)
    assert {gradient.dtype for gradient in found.values()} == {torch.float32}
    assert_nearly(found, gradients, 0.03)


def test_of_a_model_in_bfloat16(model):
    """The loss is the mean over hundreds of steps: it is more exact than the scores, which have three digits."""
    model = model.bfloat16()
    expected, gradients = loss_and_gradients(copy.deepcopy(model).float())
    loss, found = loss_and_gradients(model)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=2e-3, atol=0)
    assert {gradient.dtype for gradient in found.values()} == {torch.bfloat16}
    assert_nearly(found, gradients, 0.06)


def test_what_comes_often_is_not_lost_in_bfloat16():
    """Thousands of addends, each too small to change a sum in bfloat16: half the rows have either token."""
    rows, narrow = 4096, {"dtype": torch.bfloat16, "requires_grad": True}
    hidden, weight, bias = torch.ones(rows, 1, **narrow), torch.zeros(2, 1, **narrow), torch.zeros(2, **narrow)
    share = torch.full((rows,), 1 / rows)
    linear_cross_entropy(hidden, weight, bias, torch.arange(rows) % 2, share).backward()
    for leaf in (weight, bias):
        assert leaf.grad.dtype == torch.bfloat16
        assert leaf.grad.abs().max() < 1e-3
    table = torch.zeros(2, 1, **narrow)
    embedded, passed_on = tied_embedding(torch.zeros(rows, 1, dtype=torch.long), table)
    ((embedded * share[:, None, None]).sum() + passed_on.float().sum()).backward()
    assert table.grad.tolist() == [[2.0], [1.0]]


def test_scores_in_bfloat16():
    class Scored:
        def __init__(self, scores):
            self.scores = scores

        def logits(self):
            return self.scores

    torch.manual_seed(0)
    scores = torch.randn(T, N, V).bfloat16()
    found, expected = (sequence_cross_entropy(Scored(kind), BATCH) for kind in (scores, scores.float()))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=0)


def test_differentiated_twice():
    torch.manual_seed(0)
    leaves = [torch.randn(23, E, requires_grad=True), torch.randn(V, E, requires_grad=True)]
    targets, twice = torch.randint(0, V, (23,)), []
    for function, on in ((linear_cross_entropy, True), (plain, False)):
        with torch.autocast("cpu", torch.bfloat16, enabled=on):
            loss = function(*leaves, None, targets)
        grads = torch.autograd.grad(loss, leaves, create_graph=True)
        twice.append(torch.autograd.grad(sum(g.square().sum() for g in grads), leaves))
    for one, other in zip(*twice, strict=True):
        torch.testing.assert_close(one, other)


def test_asked_twice_inside():
    """The second time the gradient comes from the definition, which autocast must leave alone too."""
    torch.manual_seed(0)
    leaves, targets = [torch.randn(23, E, requires_grad=True), torch.randn(V, E, requires_grad=True)], IDS[0, :1]
    with torch.autocast("cpu", torch.bfloat16):
        loss = linear_cross_entropy(*leaves, None, targets.expand(23))
        first, again = (torch.autograd.grad(loss, leaves, retain_graph=True) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(one, other)


def plain(hidden, weight, bias, targets):
    return F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="sum")


@pytest.mark.parametrize("autocast", [False, True])
def test_in_one_graph(autocast):
    hidden, weight, bias = (torch.randn(shape).requires_grad_() for shape in ((23, E), (V, E), (V,)))
    targets, weights = torch.randint(0, V, (23,)), torch.rand(23)
    compiled = torch.compile(linear_cross_entropy, fullgraph=True, backend="aot_eager")
    found = []
    for run in (linear_cross_entropy, compiled):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = run(hidden, weight, bias, targets, weights)
        found.append([loss, *torch.autograd.grad(loss, (hidden, weight, bias))])
    torch.testing.assert_close(found[1][0], found[0][0])
    within = 0.05 if autocast else 1e-5  # compiled, products on the way back are autocast's
    torch.testing.assert_close(found[1], found[0], rtol=within, atol=within)
    with pytest.raises(IndexError):
        compiled(hidden, weight, bias, torch.full((23,), V), weights)
