"""What a page sees of a model that reads one thing and writes another, compared with what `record` finds."""

import json

import numpy as np
import pytest
import torch

import ostinato
from ostinato.api.inspecting.live import Watches
from ostinato.inspection import record
from ostinato.inspection.views.gradients import flows
from tests.unit.api.test_live import ask

PAIRS = "".join(f"{a}+{b}_{a + b}\n" for a in range(12) for b in range(10))


def arrays(header, numbers):
    """`[rows, H]` by part, layer, direction, kind and name."""
    found, begin = {}, 0
    for place in header["places"]:
        for series in place["series"]:
            rows = (len(header["written"]) if place["writes"] else header["steps"]) - place["start"]
            end = begin + rows * series["size"]
            where = place["part"], place["layer"], place["reverse"]
            found[*where, series["kind"], series["name"]] = numbers[begin:end].reshape(rows, -1)
            begin = end
    assert begin == len(numbers)
    return found


@pytest.fixture(params=["plain", "deep", "reverse"])
def run(request, tmp_path, monkeypatch):
    monkeypatch.setattr("ostinato.tasks.translate.task.available", lambda: False)  # nothing is drawn
    (tmp_path / "sums.txt").write_text(PAIRS)
    more = {"plain": {}, "deep": {"layers": 2, "dropout": 0.1}, "reverse": {"reverse": True, "bidirectional": False}}
    given = {"separator": "_", "level": "char", "hidden": 8, "epochs": 2, "lr": 0.02} | more[request.param]
    return ostinato.train("translate", str(tmp_path / "sums.txt"), out=str(tmp_path / "run"), **given)


def test_a_translators_encoder_and_its_decoder_while_it_writes(run):
    watches, text = Watches([run]), "11+7"
    ask(watches, do="read", text="1")
    ((header, numbers),) = ask(watches, do="read", text=text, whole=True)
    assert header["spans"][-2:] == [[3, 4], [4, 4]]
    (answer,) = run.predict([text], beam=1)
    assert "".join(header["written"]) == f"{answer}<eos>"
    found = arrays(header, numbers)
    codec, model = run.codec, run.model
    (source,) = codec.encode_sources([text])
    (target,) = codec.target.encode_all([answer])
    begin = torch.tensor([codec.target.eos_id, *map(int, target)])[:, None]
    places = record(model, torch.from_numpy(source.astype(np.int64))[:, None], target_inputs=begin)
    turned = model.encoder.reverse
    seen = set()
    for place in places:
        part, _, module = place.place.name.partition(".")
        backwards = turned and part == "encoder"
        where = part, place.place.layer + (module == "above"), place.place.reverse or backwards
        for kind, values in (("gate", place.gates), ("state", place.states)):
            for name, expected in values.items():
                rows = expected[::-1, 0] if backwards else expected[:, 0]
                np.testing.assert_allclose(found[*where, kind, name], rows, rtol=1e-4, atol=1e-6, err_msg=str(where))
                seen.add((*where, kind, name))
    assert seen == set(found)
    # a selection of the text finds units that read it
    ((ranked, _),) = ask(watches, do="rank", begin=0, end=2)
    assert {header["places"][unit["place"]]["part"] for unit in ranked["units"]} == {"encoder"}
    ((back, _),) = ask(watches, do="back", at=4)
    observed = run.task.typed(run, text).upto(back["step"] + 1)
    own = next(flow for flow in flows(model, observed) if not flow.place.reverse)
    norms = own.norms["h"][1:, 0]
    np.testing.assert_allclose(back["places"][0]["fields"][0]["norms"], norms[::-1] if turned else norms, rtol=1e-3)


def test_a_captioners_decoder_over_a_caption(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    (tmp_path / "pictures").mkdir()
    rows = ["image,caption"]
    for number in range(8):
        image.new("RGB", (32, 32), (30 * number, 90, 90)).save(tmp_path / "pictures" / f"{number}.png")
        rows.append(f"{number}.png,a {'dark' if number < 4 else 'light'} field")
    (tmp_path / "captions.csv").write_text("\n".join(rows) + "\n")
    run = ostinato.train(
        "caption", str(tmp_path / "captions.csv"), out=str(tmp_path / "run"), images=str(tmp_path / "pictures"),
        picture_size=16, hidden=8, epochs=2,
    )  # fmt: skip
    watches = Watches([run])
    ((opened, _),) = ask(watches, do="open")
    assert opened["picture"].startswith("data:image/jpeg;base64,")
    assert opened["example"] == run.predict(str(tmp_path / "pictures" / "0.png"), beam=1)[0]
    ask(watches, do="read", text="a dark")
    ((header, numbers),) = ask(watches, do="read", text="a dark field")
    assert {place["start"] for place in header["places"]} == {3}  # the picture is what it was
    ((header, numbers),) = ask(watches, do="read", text="a dark field", whole=True)
    found = arrays(header, numbers)
    ids = torch.tensor([run.tokenizer.eos_id, *run.tokenizer.encode("a dark field")])[:, None]
    pictures = torch.from_numpy(np.array(image.open(tmp_path / "pictures" / "0.png").resize((16, 16))))
    (place,) = record(run.model, pictures.permute(2, 0, 1)[None], target_inputs=ids)
    for name, expected in place.gates.items():
        np.testing.assert_allclose(found["decoder", 0, False, "gate", name], expected[:, 0], rtol=1e-4, atol=1e-6)
    assert json.dumps(header)
