"""A regularised language model against AWD-LSTM as its paper has it, put together from torch.nn with the same masks."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError
from ostinato.core.kept_state import KeptState
from ostinato.layers.dropout import dropout
from ostinato.losses import activation_penalty, sequence_cross_entropy
from ostinato.tasks.lm.model import LanguageModel

T, N, V, E, H = 9, 3, 11, 6, 8
IDS = torch.randint(0, V, (T + 1, N), generator=torch.Generator().manual_seed(4))
RATES = {"embedding_dropout": 0.3, "input_dropout": 0.4, "hidden_dropout": 0.25, "output_dropout": 0.5}


@pytest.fixture(autouse=True)
def same_numbers():
    torch.manual_seed(0)


def make(**options):
    settings = {"tied": True, "last_size": E, "locked_dropout": True, "weight_drop": 0.5} | RATES
    return LanguageModel(V, E, H, 3, **(settings | options)).double()


def parts(model):
    """The weights of each layer by torch's names."""
    state = {name: tensor.detach().clone().requires_grad_() for name, tensor in model.named_parameters()}
    layers = [("recurrent", 0), ("recurrent", 1), ("last", 0)]
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return state, [[f"{home}.{name}_l{index}" for name in names] for home, index in layers]


def merity(model, ids, alpha, beta):
    """Equations of Merity et al. 2018, sections 2 and 4, masks drawn in the order of the data's way up."""

    def mask(shape, rate):
        return dropout(torch.ones(shape, dtype=torch.float64), rate)

    state, layers = parts(model)
    rows = state["embedding.weight"] * mask(V, 0.3)[:, None]
    x = F.embedding(ids[:-1], rows) * mask((N, E), 0.4)
    for number, (w_ih, w_hh, b_ih, b_hh) in enumerate(layers):
        if number:
            x = x * mask((N, H), 0.25)
        dropped = state[w_hh] * mask(state[w_hh].shape, 0.5)
        lstm = nn.LSTM(x.shape[-1], dropped.shape[1], device="meta", dtype=x.dtype)  # draws no random numbers
        weights = {"weight_ih_l0": state[w_ih], "weight_hh_l0": dropped}
        weights |= {"bias_ih_l0": state[b_ih], "bias_hh_l0": state[b_hh]}
        x = torch.func.functional_call(lstm, weights, (x,))[0]
    hidden = x * mask((N, E), 0.5)
    logits = hidden @ state["embedding.weight"].T + state["decoder.bias"]
    loss = F.cross_entropy(logits.flatten(0, 1), ids[1:].flatten())
    ar = alpha * (hidden**2).sum() / hidden.numel()
    tar = beta * sum(((x[t] - x[t - 1]) ** 2).sum() for t in range(1, T)) / ((T - 1) * N * E)
    return loss, loss + ar + tar, state


def test_loss_penalty_and_gradients_are_the_papers():
    model = make()
    torch.manual_seed(5)
    output = model(IDS[:-1])
    loss = sequence_cross_entropy(output, Batch(IDS[:-1], IDS[1:]))
    objective = loss + activation_penalty(output, ar=2.0, tar=1.5)
    torch.manual_seed(5)
    expected_loss, expected, state = merity(model, IDS, 2.0, 1.5)
    torch.testing.assert_close(loss, expected_loss)
    torch.testing.assert_close(objective, expected)
    objective.backward()
    expected.backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, state[name].grad, msg=name)


def test_evaluation_knows_none_of_it():
    noisy, plain = make().eval(), make(**dict.fromkeys(RATES, 0.0), weight_drop=0.0)
    plain.load_state_dict(noisy.state_dict())
    torch.testing.assert_close(noisy(IDS).logits(), plain(IDS).logits(), rtol=0, atol=0)
    assert not torch.equal(noisy(IDS).hidden, noisy.train()(IDS).hidden)


def test_state_of_a_last_layer_apart_is_carried():
    model, kept, hidden = make().eval(), KeptState(), []
    for piece in IDS.split([1, 4, 5]):
        output = model(piece, kept.state)
        kept.keep(output.state)
        hidden.append(output.hidden)
    torch.testing.assert_close(torch.cat(hidden), model(IDS).hidden)
    other = KeptState()
    other.load_state_dict(kept.state_dict())
    torch.testing.assert_close(model(IDS, other.state).hidden, model(IDS, kept.state).hidden, rtol=0, atol=0)


def test_rates_of_their_own_or_of_dropout():
    model = LanguageModel(V, E, H, 2, dropout=0.3, hidden_dropout=0.0)
    assert (model.input_dropout, model.hidden_dropout, model.output_dropout) == (0.3, 0.0, 0.3)
    assert model.recurrent.dropout == 0.0


def test_one_layer_has_one_size():
    with pytest.raises(ConfigError, match="last_size 6: the only layer has 8 units"):
        LanguageModel(V, E, H, 1, last_size=6)
    assert LanguageModel(V, H, H, 2, last_size=H).last is None


def test_temporal_penalty_of_one_step_is_zero():
    output = make()(IDS[:1])
    assert activation_penalty(output, ar=0.0, tar=3.0).item() == 0.0
    with pytest.raises(ValueError, match="expected an output with `raw`"):
        activation_penalty(output._replace(raw=None), ar=0.0, tar=1.0)
