"""Linear layer, softmax and cross-entropy in one against the three of torch, one after the other."""

import pytest
import torch
from torch.nn import functional as F

from ostinato import kernels
from ostinato.core.batch import Batch
from ostinato.losses import linear_cross_entropy, sequence_cross_entropy
from ostinato.losses import linear_cross_entropy as module_function
from ostinato.tasks.lm.model import LanguageModelOutput

M, E, V = 23, 5, 11


@pytest.fixture(autouse=True, params=[1, 7, 1000], ids="rows at a time: {}".format)
def pieces(request, monkeypatch):
    """Few rows at a time, so that there are several pieces, the last one shorter."""
    monkeypatch.setitem(module_function.__globals__, "_BUFFER", 0)
    monkeypatch.setitem(module_function.__globals__, "_FEWEST_ROWS", request.param)
    monkeypatch.setitem(module_function.__globals__, "_FEW_SCORES", 0)


@pytest.fixture
def given():
    torch.manual_seed(0)
    leaves = [torch.randn(M, E), torch.randn(V, E), torch.randn(V)]
    return [leaf.double().requires_grad_() for leaf in leaves], torch.randint(0, V, (M,)), torch.rand(M).double()


def definition(leaves, targets, weights=None, smoothing=0.0):
    hidden, weight, bias = leaves
    each = F.cross_entropy(F.linear(hidden, weight, bias), targets, reduction="none", label_smoothing=smoothing)
    return (each if weights is None else each * weights).sum()


def test_one_target_a_row(given):
    """A forgotten shift would teach a model to repeat what it reads."""
    leaves, targets, weights = given
    for wrong in (torch.cat([targets, targets[:3]]), targets[:1]):
        with pytest.raises(ValueError, match=r"targets: expected \(23,\), one a row, got"):
            linear_cross_entropy(*leaves, wrong)
    with pytest.raises(ValueError, match=r"weights: expected \(23,\)"):
        linear_cross_entropy(*leaves, targets, weights[:1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_loss_and_gradients(given, smoothing, weighted, biased):
    leaves, targets, weights = given
    weights = weights if weighted else None
    if not biased:
        leaves[2] = None
    ours = linear_cross_entropy(*leaves, targets, weights, smoothing)
    theirs = definition(leaves, targets, weights, smoothing)
    torch.testing.assert_close(ours, theirs)
    wanted = [leaf for leaf in leaves if leaf is not None]
    found = torch.autograd.grad(3 * ours, wanted)  # by a factor that is not one
    for one, other in zip(found, torch.autograd.grad(3 * theirs, wanted), strict=True):
        torch.testing.assert_close(one, other)


def test_a_few_scores_are_left_to_torch(given, monkeypatch):
    """Tens of operations on next to nothing took three times as long as torch's few."""
    monkeypatch.setitem(module_function.__globals__, "_FEW_SCORES", M * V)
    monkeypatch.setattr(kernels, "multiply", None)
    leaves, targets, weights = given
    ours, theirs = linear_cross_entropy(*leaves, targets, weights, 0.1), definition(leaves, targets, weights, 0.1)
    assert ours == theirs
    for one, other in zip(torch.autograd.grad(ours, leaves), torch.autograd.grad(theirs, leaves), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(IndexError, match="targets: expected ids from 0 to 10, got -100 to -100"):
        linear_cross_entropy(*leaves, torch.full_like(targets, -100))  # which torch would leave out


def test_only_what_is_wanted(given):
    (hidden, weight, bias), targets, _ = given
    for leaf in (hidden, weight, bias):
        leaves = [other if other is leaf else other.detach() for other in (hidden, weight, bias)]
        (found,) = torch.autograd.grad(linear_cross_entropy(*leaves, targets), leaf)
        (expected,) = torch.autograd.grad(definition(leaves, targets), leaf)
        torch.testing.assert_close(found, expected)
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(hidden, weight, bias, targets), definition(given[0], targets))


def test_without_gradients_none_is_computed(given, monkeypatch):
    """`ctx.needs_input_grad` is set under `no_grad` too: evaluation would take three times as long."""
    leaves, targets, _ = given
    products = []
    multiply = kernels.multiply
    monkeypatch.setattr(kernels, "multiply", lambda *a, **how: (products.append(a[2].shape), multiply(*a, **how)))
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(*leaves, targets), definition(leaves, targets))
    alone = len(products)
    assert {shape[1] for shape in products} == {len(leaves[1])}  # scores
    linear_cross_entropy(*leaves, targets)
    assert len(products) == 4 * alone


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("tiles", [False, True])
def test_medium_rounds_factors_where_that_is_faster(given, tiles, smoothing, monkeypatch):
    leaves, targets, weights = given
    weights = weights.float()
    leaves = [leaf.detach().float().requires_grad_() for leaf in leaves]
    exact = definition(leaves, targets, weights, smoothing)
    expected = torch.autograd.grad(exact, leaves)
    monkeypatch.setattr("ostinato.kernels.native_cells.multiplies_bfloat16", lambda: True)
    monkeypatch.setattr("ostinato.kernels.native_cells.multiplies_bfloat16_without_tiles", lambda: not tiles)
    torch.testing.assert_close(linear_cross_entropy(*leaves, targets, weights, smoothing), exact)  # not asked for
    monkeypatch.setattr("torch.get_float32_matmul_precision", lambda: "medium")
    if tiles:  # then torch's own products are left to round few words
        torch.testing.assert_close(linear_cross_entropy(*leaves, targets, weights, smoothing), exact)
        monkeypatch.setitem(linear_cross_entropy.__globals__, "_MANY_WORDS", V)
    rounded = linear_cross_entropy(*leaves, targets, weights, smoothing)
    assert rounded.dtype == torch.float32
    assert 1e-5 < abs(rounded / exact - 1) < 5e-3
    for one, other in zip(torch.autograd.grad(rounded, leaves), expected, strict=True):
        assert one.dtype == torch.float32
        assert 1e-4 < (one - other).norm() / other.norm() < 2e-2
    monkeypatch.setitem(linear_cross_entropy.__globals__, "_COPIES", 0)  # a copy of the weights would be too large
    torch.testing.assert_close(linear_cross_entropy(*leaves, targets, weights, smoothing), exact)


def test_differentiated_twice_and_asked_twice(given):
    leaves, targets, weights = given
    loss = linear_cross_entropy(*leaves, targets, weights, 0.1)
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    for one, again in zip(first, torch.autograd.grad(loss, leaves, retain_graph=True), strict=True):
        torch.testing.assert_close(one, again)
    twice = []
    for function in (linear_cross_entropy, lambda h, w, b, *rest: definition((h, w, b), *rest)):
        grads = torch.autograd.grad(function(*leaves, targets, weights, 0.1), leaves, create_graph=True)
        twice.append(torch.autograd.grad(sum(g.square().sum() for g in grads), leaves))
    for one, other in zip(*twice, strict=True):
        torch.testing.assert_close(one, other)


def test_weights_that_made_the_hidden_states_count_once(given):
    (hidden, weight, bias), targets, weights = given
    loss = linear_cross_entropy(hidden @ weight.T @ weight, weight, bias, targets, weights)
    expected = torch.autograd.grad(loss, [hidden, weight], retain_graph=True)
    for _ in range(2):  # a second time from the definition, the graph below kept all the same
        found = torch.autograd.grad(loss, [hidden, weight], retain_graph=True)
        torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(loss, [hidden, weight], create_graph=True), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("factor", [1, 30])
def test_probabilities_of_almost_nothing(given, factor, smoothing):
    """A target's is no number above 0 in float32 where its score is 104 below the highest."""
    (hidden, weight, bias), targets, weights = given
    exact = [(hidden * factor).detach().requires_grad_(), weight, bias]
    single = [leaf.detach().float().requires_grad_() for leaf in exact]
    least = torch.nn.functional.linear(*single).softmax(1)[torch.arange(len(targets)), targets].min()
    assert (least == 0) == (factor > 1)
    expected = definition(exact, targets, weights, smoothing)
    found = linear_cross_entropy(*single, targets, weights.float(), smoothing)
    torch.testing.assert_close(found, expected.float(), rtol=1e-5, atol=1e-5)
    for one, other in zip(torch.autograd.grad(found, single), torch.autograd.grad(expected, exact), strict=True):
        torch.testing.assert_close(one, other.float(), rtol=1e-4, atol=1e-4 * float(other.abs().max()))


def test_huge_scores_and_no_rows(given):
    (hidden, weight, bias), targets, _ = given
    assert linear_cross_entropy(hidden * 1e4, weight, bias, targets).isfinite()
    none = linear_cross_entropy(hidden[:0], weight, bias, targets[:0])
    assert none == 0
    assert not any(g.any() for g in torch.autograd.grad(none, (hidden, weight, bias)))


@pytest.mark.parametrize("wrong", [-1, V])
def test_a_target_outside_the_vocabulary_is_refused(given, wrong):
    leaves, targets, _ = given
    targets[4] = wrong
    with pytest.raises(IndexError, match=f"expected ids from 0 to {V - 1}, got .*{wrong}"):
        linear_cross_entropy(*leaves, targets)


def test_the_sequence_loss_takes_the_layer_as_well_as_its_scores(given):
    (hidden, weight, bias), targets, weights = given
    output = LanguageModelOutput(hidden[:20].view(5, 4, E), weight, bias, None)
    batch = Batch(targets[:20].view(5, 4), targets[:20].view(5, 4), torch.tensor([5, 0, 3, 1]), weights[:20].view(5, 4))

    class Scored:
        def logits(self):
            return output.logits()

    for smoothing in (0.0, 0.2):
        losses = [sequence_cross_entropy(kind, batch, smoothing) for kind in (output, Scored())]
        torch.testing.assert_close(*losses)


def test_weights_of_rows_may_be_learned(given):
    leaves, targets, weights = given
    weights.requires_grad_()
    found = torch.autograd.grad(linear_cross_entropy(*leaves, targets, weights, 0.1), [*leaves, weights])
    expected = torch.autograd.grad(definition(leaves, targets, weights, 0.1), [*leaves, weights])
    torch.testing.assert_close(found, expected)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = linear_cross_entropy(*leaves, targets, weights, 0.1)
    torch.testing.assert_close(rounded, definition(leaves, targets, weights, 0.1))
