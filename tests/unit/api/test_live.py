"""What a page sees of a run while somebody types, compared with torch and with what `inspect` finds."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import ostinato
from ostinato.api.inspecting.live import CHARACTERS, Watch, Watches
from ostinato.core.errors import ConfigError
from ostinato.data.labelled.reading import LabelledColumns, SequenceCodec
from ostinato.data.labelled.sequences import Scale
from ostinato.inspection import record
from ostinato.models.many_to_one import ManyToOne
from ostinato.tasks import find
from ostinato.tasks.classify.codec import ClassifyCodec
from ostinato.tasks.lm.model import LanguageModel

GOLDEN = Path(__file__).parents[2] / "golden" / "trained"


def ask(watches, **message):
    """Header and numbers of each run's answer."""
    found = []
    for packed in watches.answers(json.dumps(message)):
        size = int.from_bytes(packed[:4], "little")
        assert size % 4 == 0
        found.append((json.loads(packed[4 : 4 + size]), np.frombuffer(packed[4 + size :], "<f4")))
    return found


def arrays(header, numbers):
    """`[rows, H]` by place, kind and name, and that nothing is left."""
    found, begin = {}, 0
    for place in header["places"]:
        for series in place["series"]:
            rows = header["steps"] - place["start"]
            end = begin + rows * series["size"]
            found[place["label"], series["kind"], series["name"]] = numbers[begin:end].reshape(rows, -1)
            begin = end
    assert begin == len(numbers)
    return found


@pytest.fixture(params=["lm", "tag", "forecast"])
def run(request):
    return ostinato.load(GOLDEN / request.param)


def test_the_example_can_be_read_by_every_task(run):
    watches = Watches([run])
    ((opened, _),) = ask(watches, do="open")
    assert (opened["name"], opened["task"]) == (run.folder.path.name, run.config["task"])
    ((header, numbers),) = ask(watches, do="read", text=opened["example"], number=7)
    assert header["number"] == 7
    found = arrays(header, numbers)
    observed = run.task.typed(run, opened["example"]).upto(header["steps"])
    for place in record(run.model, observed.inputs, modules=observed.modules, **observed.arguments):
        for kind, values in (("gate", place.gates), ("state", place.states)):
            for name, expected in values.items():
                np.testing.assert_allclose(
                    found[place.place.label, kind, name], expected[:, 0], rtol=1e-4, atol=1e-6, err_msg=name
                )
    pieces = [opened["example"][begin:end] for begin, end in header["spans"]]
    assert pieces == observed.pieces


def test_only_what_is_new_is_sent():
    watches = Watches([ostinato.load(GOLDEN / "lm")])
    ask(watches, do="read", text="the cat")
    ((header, numbers),) = ask(watches, do="read", text="the cats")
    assert (header["steps"], header["from"], header["spans"]) == (9, 8, [[7, 8]])
    assert {place["start"] for place in header["places"]} == {8}
    new = arrays(header, numbers)
    ((whole, all_numbers),) = ask(watches, do="read", text="the cats", whole=True)
    assert whole["from"] == 0
    for name, values in arrays(whole, all_numbers).items():
        np.testing.assert_array_equal(new[name], values[8:])


def test_each_run_answers_and_an_error_is_one_runs():
    """A forecaster needs numbers; the language model beside it does not."""
    watches = Watches([ostinato.load(GOLDEN / "forecast"), ostinato.load(GOLDEN / "lm")])
    (first, _), (second, _) = ask(watches, do="read", text="1\n2\ntwo\n3\n", number=3)
    assert first == {
        "run": 0,
        "do": "read",
        "error": "line 3: expected 1 finite numbers (sales), got 'two'",
        "number": 3,
    }
    assert (second["run"], second["steps"]) == (1, 11)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"do": "fly"}, "fly"),
        ({"do": "read"}, "text"),
        ({"do": "back", "at": "two"}, "int"),
        ({"do": "read", "text": "a", "more": 1}, "more"),
    ],
)
def test_what_is_no_message_is_said(message, words):
    ((header, _),) = ask(Watches([]), **message)
    assert words in header["error"]


def test_too_long_a_text_is_refused():
    ((header, _),) = ask(Watches([ostinato.load(GOLDEN / "lm")]), do="read", text="a" * (CHARACTERS + 1))
    assert "20,000 characters" in header["error"]
    ((header, _),) = ask(Watches([ostinato.load(GOLDEN / "lm")]), do="read", text="a" * 2_500)
    assert "2,000 steps" in header["error"]


def test_a_run_that_reads_no_sequence_is_refused():
    with pytest.raises(ConfigError, match=r"classify, .*got 'paint'"):
        Watch(SimpleNamespace(task=object(), folder=SimpleNamespace(path="r"), config={"task": "paint"}))


def test_the_units_of_a_selection_are_of_its_steps():
    watches = Watches([ostinato.load(GOLDEN / "lm")])
    ((header, numbers),) = ask(watches, do="read", text="a bird and a cat")
    found = list(arrays(header, numbers).values())
    ((ranked, _),) = ask(watches, do="rank", begin=2, end=6, top=3)
    first = ranked["units"][0]
    places = [(p, s) for p, place in enumerate(header["places"]) for s in range(len(place["series"]))]
    values = found[places.index((first["place"], first["series"]))][:, first["unit"]]
    # step 0 stands before the first character
    assert first["inside"] == pytest.approx(values[3:7].mean(), rel=1e-3)
    assert first["outside"] == pytest.approx(np.r_[values[:3], values[7:]].mean(), rel=1e-3)
    assert "error" in ask(watches, do="rank", begin=3, end=3)[0][0]


def language_model():
    """An LSTM of one layer in a run of its own, whose tokenizer has letters."""
    from ostinato.data.text.tokenizer import Tokenizer, char_tokenizer

    torch.manual_seed(0)
    tokenizer = Tokenizer(char_tokenizer("abcdef "))
    model = LanguageModel(tokenizer.size, 6, 5, cell="lstm").eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.7)
    folder = SimpleNamespace(path=Path("one"))
    return SimpleNamespace(
        task=find("lm"), model=model, tokenizer=tokenizer, codec=None, config={"task": "lm"}, folder=folder
    )


@pytest.mark.parametrize("at", [0, 3, 7])
def test_the_gradients_way_back_is_that_of_the_equations(at):
    """Each state is a tensor that the loss depends on in all ways there are."""
    run, text = language_model(), "bad cafe"
    ids = [0, *run.tokenizer.encode(text)]
    watches = Watches([run])
    ask(watches, do="read", text=text)
    ((header, _),) = ask(watches, do="back", at=at)
    assert header["step"] == at
    model = run.model.double()
    p = {name.removesuffix("_l0"): value for name, value in model.recurrent.named_parameters()}
    h, c, states = torch.zeros(5).double(), torch.zeros(5).double(), []
    for token in ids[: at + 1]:
        sums = p["weight_ih"] @ model.embedding.weight[token] + p["weight_hh"] @ h + p["bias_ih"] + p["bias_hh"]
        i, f, g, o = sums.chunk(4)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        h.retain_grad()
        c.retain_grad()
        states.append((h, c))
    F.cross_entropy(model.decoder(h), torch.tensor(ids[at + 1])).backward()
    fields = {field["name"]: field["norms"] for field in header["places"][0]["fields"]}
    assert fields["h"] == pytest.approx([float(h.grad.norm()) for h, _ in states], rel=1e-3)
    assert fields["c"] == pytest.approx([float(c.grad.norm()) for _, c in states], rel=1e-3)


def test_the_end_of_the_text_is_followed_from_what_is_expected_there():
    run = language_model()
    watches = Watches([run])
    ask(watches, do="read", text="cab")
    best = run.tokenizer.token(
        int(run.model(torch.tensor([[0, *run.tokenizer.encode("cab")]]).T).logits()[-1].argmax())
    )
    ((end, _),) = ask(watches, do="back", at=3)
    ask(watches, do="read", text="cab" + best)
    ((within, _),) = ask(watches, do="back", at=3)
    assert end["places"] == within["places"]
    assert end["step"] == 3


def classifier(**inputs):
    torch.manual_seed(0)
    model = ManyToOne(3, hidden_size=4, bidirectional=False, pooling="last", **inputs).eval()
    scale = Scale((1.0, 10.0), (2.0, 5.0))
    codec = ClassifyCodec(("x", "y", "z"), SequenceCodec(LabelledColumns(values=("a", "b")), None, scale=scale))
    config = {"task": "classify", "model": {"pooling": "last"}}
    return SimpleNamespace(
        task=find("classify"), model=model, codec=codec, config=config, folder=SimpleNamespace(path=Path("numbers"))
    )


def test_numbers_are_read_as_training_scaled_them():
    run = classifier(features=2, cell="gru")
    watches = Watches([run])
    ((header, numbers),) = ask(watches, do="read", text="1, 10\n\n3;15\n5 2")
    assert header["spans"] == [[0, 5], [7, 11], [12, 15]]
    layer = torch.nn.GRU(2, 4)
    layer.load_state_dict(run.model.recurrent.state_dict())
    x = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, -1.6]]).unsqueeze(1)
    states = arrays(header, numbers)["layer 1", "state", "h"]
    np.testing.assert_allclose(states, layer(x)[0][:, 0].detach(), rtol=1e-5, atol=1e-6)
    ((example, _),) = ask(watches, do="open")
    assert len(example["example"].splitlines()) == 24


@pytest.mark.parametrize(("last", "steps"), [("7", 1), ("7, ", 1), ("7, -", 1), ("7, 8", 2)])
def test_a_line_that_is_being_typed_waits_until_it_is_whole(last, steps):
    ((header, _),) = ask(Watches([classifier(features=2, cell="gru")]), do="read", text=f"1, 2\n{last}")
    assert header["steps"] == steps


def test_what_lies_outside_the_plane_counts_as_one_character():
    """As Python counts; a page counts otherwise, and has to know."""
    ((header, _),) = ask(Watches([ostinato.load(GOLDEN / "lm")]), do="read", text="a\U0001f600b")
    assert header["spans"] == [[0, 0], [0, 1], [1, 2], [2, 3]]


def test_a_forecaster_follows_from_where_it_has_a_window():
    run = ostinato.load(GOLDEN / "forecast")
    watches = Watches([run])
    ((opened, _),) = ask(watches, do="open")
    text = opened["example"]
    ((read, _),) = ask(watches, do="read", text=text)
    assert read["steps"] == run.codec.shape.window
    ((end, _),) = ask(watches, do="back", at=len(text))
    assert end["step"] == read["steps"] - 1
    ask(watches, do="read", text=text[read["spans"][0][0] :])
    ((early, _),) = ask(watches, do="back", at=read["spans"][2][1] - read["spans"][0][0])
    assert early["error"].startswith(f"a forecast from here needs {read['steps'] - 3} more lines in front")
