"""A language model whose state starts anew before each document."""

import pytest
import torch

from ostinato.core.batch import Batch
from ostinato.core.kept_state import KeptState
from ostinato.losses import sequence_cross_entropy
from ostinato.tasks.lm.figures import mean_loss
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.lm.options import SamplingOptions
from ostinato.tasks.lm.sampling import sample

SEPARATOR = 4


@pytest.fixture(params=[{}, {"num_layers": 2, "embed_size": 5, "last_size": 5, "tied": True}], ids=["one", "tied"])
def model(request):
    torch.manual_seed(0)
    sizes = {"vocab_size": 9, "embed_size": 6, "hidden_size": 8} | request.param
    return LanguageModel(**sizes, separator=SEPARATOR).eval()


@pytest.fixture
def documents():
    torch.manual_seed(1)
    return [torch.randint(5, 9, (length,)) for length in (7, 1, 4, 9)]


def test_a_document_is_predicted_as_if_it_stood_alone(model, documents):
    border = torch.tensor([SEPARATOR])
    losses = []
    for document in documents:
        row = torch.cat((border, document, border)).unsqueeze(1)
        output = model(row[:-1])
        losses.append(sequence_cross_entropy(output, Batch(row[:-1], row[1:])).item() * (len(row) - 1))
    text = torch.cat([border, *(part for document in documents for part in (document, border))]).unsqueeze(1)
    pieces = [Batch(text[at:-1][:6], text[at + 1 :][:6]) for at in range(0, len(text) - 1, 6)]
    assert mean_loss(model, pieces) == pytest.approx(sum(losses) / (len(text) - 1), rel=1e-5)


def test_no_gradient_passes_a_border(model, documents):
    text = torch.cat((documents[0], torch.tensor([SEPARATOR]), documents[3])).unsqueeze(1)
    embedded = []
    model.recurrent.register_forward_pre_hook(lambda module, inputs: embedded.append(inputs[0].requires_grad_()))
    model.tied = False  # an embedding of its own, to take the gradient by
    output = model(text)
    (grad,) = torch.autograd.grad(output.logits()[len(documents[0]) :].sum(), embedded[0])
    assert not grad[: len(documents[0])].any()
    assert grad[len(documents[0]) :].any()


def test_a_stream_is_the_whole(model, documents):
    text = torch.cat((documents[0], torch.tensor([SEPARATOR]), documents[3]))
    rows = torch.stack((text, text.roll(3)), 1)
    whole, stream = model(rows), model.stream(2)
    steps = torch.stack([stream.step(ids) for ids in rows])
    torch.testing.assert_close(steps, whole.logits())
    torch.testing.assert_close(list(stream.state), list(whole.state))


def test_what_is_written_behind_a_border_depends_on_nothing_before_it(model):
    options = SamplingOptions(greedy=True)
    one, other = (list(sample(model, prompt, 12, options)) for prompt in ([SEPARATOR, 7, 5, SEPARATOR], [SEPARATOR]))
    assert one == other


def test_a_state_that_is_kept_is_reset_too(model, documents):
    kept = KeptState(model(documents[0].unsqueeze(1)).state)
    text = torch.cat((torch.tensor([SEPARATOR]), documents[3])).unsqueeze(1)
    assert torch.equal(model(text, kept.state).logits(), model(text).logits())
