"""Files of other programs become runs that evaluate, generate and are looked into, with their programs' numbers."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import ostinato
from ostinato.cli.main import main
from tests.end_to_end.test_json import faults

WORDS = [f"w{number}" for number in range(30)]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    draw = random.Random(0)
    lines = [" ".join(draw.choices(WORDS, k=9)) for _ in range(30)]
    Path("text.txt").write_text("\n".join(lines) + "\n")


class LanguageModel(nn.Module):
    """As many write it."""

    def __init__(self, recurrent: nn.Module, tied: bool = False) -> None:
        super().__init__()
        self.encoder = nn.Embedding(31, recurrent.input_size)
        self.rnn = recurrent
        self.decoder = nn.Linear(recurrent.proj_size or recurrent.hidden_size, 31)
        if tied:
            self.decoder.weight = self.encoder.weight

    def forward(self, ids):
        return self.decoder(self.rnn(self.encoder(ids))[0])


def ids() -> dict[str, int]:
    """In the order of their first occurrence."""
    words = Path("text.txt").read_text().replace("\n", " <eos> ").split()
    return {word: number for number, word in enumerate(dict.fromkeys(words))}


def loss_by(score, known: dict[str, int]) -> float:
    """Of `[T] -> [T, V]`, over the text, which `<eos>` stands in front of."""
    words = Path("text.txt").read_text().replace("\n", " <eos> ").split()
    tokens = torch.tensor([known["<eos>"], *(known[word] for word in words)])
    with torch.no_grad():
        return F.cross_entropy(torch.as_tensor(score(tokens[:-1])), tokens[1:]).item()


def imported(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What the command says, which keeps to its schema."""
    capsys.readouterr()
    assert main(["import", *arguments, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert not faults(said, "import")
    return said


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one message of a refusal that wrote nothing."""
    capsys.readouterr()
    before = sorted(Path().rglob("*"))
    assert main(["import", *arguments, "--out", "refused"]) == 2
    assert sorted(Path().rglob("*")) == before
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("ostinato: ")
    assert err.count("\n") == 1
    return err


RECURRENT = {
    "lstm": lambda: nn.LSTM(6, 8, 2),
    "projected": lambda: nn.LSTM(6, 8, proj_size=5),
    "gru": lambda: nn.GRU(6, 8, bias=False),
    "rnn": lambda: nn.RNN(6, 8),
}


@pytest.mark.parametrize("name", RECURRENT)
def test_a_language_model_of_torch(name: str, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    model = LanguageModel(RECURRENT[name]())
    torch.save({"epoch": 3, "state_dict": model.state_dict()}, "model.pt")
    said = imported(capsys, "model.pt", "--text", "text.txt", "--out", "run")
    assert [part["name"] for part in said["parts"]] == ["encoder", "rnn", "decoder"]
    assert said["task"] == "lm"
    run = ostinato.load("run")
    figures = run.evaluate("text.txt")
    assert figures["loss"] == pytest.approx(loss_by(model, ids()), abs=1e-5)
    assert figures["unknown"] == 0
    assert "w3" in "".join(run.generate("w1 w2", 200, seed=1))


def test_tied_weights_a_relu_and_a_vocabulary_of_json(capsys: pytest.CaptureFixture[str]):
    model = LanguageModel(nn.RNN(8, 8, nonlinearity="relu"), tied=True)
    torch.save(model.state_dict(), "model.bin")
    Path("ids.json").write_text(json.dumps(ids()))
    imported(capsys, "model.bin", "--vocabulary", "ids.json", "--cell", "rnn_relu", "--out", "run")
    run = ostinato.load("run")
    assert run.model.tied
    assert run.evaluate("text.txt")["loss"] == pytest.approx(loss_by(model, ids()), abs=1e-5)


def test_characters_without_an_end_of_line_of_their_own(capsys: pytest.CaptureFixture[str]):
    from safetensors.torch import save_file

    text = Path("text.txt").read_text()
    characters = sorted(set(text))
    model = LanguageModel(nn.GRU(4, 5))
    model.encoder, model.decoder = nn.Embedding(len(characters), 4), nn.Linear(5, len(characters))
    save_file(model.state_dict(), "model.safetensors")
    imported(capsys, "model.safetensors", "--text", "text.txt", "--out", "run")
    run = ostinato.load("run")
    assert run.tokenizer.level == "char"
    read = torch.tensor([run.tokenizer.encode(text)]).T
    theirs = model(torch.tensor([characters.index(character) for character in text]))
    ours = run.model(read).logits()[:, 0]
    torch.testing.assert_close(ours[:, 2:], theirs, atol=1e-5, rtol=0)
    assert ours.softmax(-1)[:, :2].max() < 1e-6


def test_names_by_a_mapping(capsys: pytest.CaptureFixture[str]):
    model = LanguageModel(nn.GRU(6, 6))
    extra = nn.Linear(6, 31)
    torch.save(model.state_dict() | {"aside.weight": extra.weight, "aside.bias": extra.bias}, "model.pt")
    assert '"aside" = "output"' in refusal(capsys, "model.pt", "--text", "text.txt")
    Path("names.toml").write_text('"encoder" = "embedding"\n"rnn" = "recurrent"\n"decoder" = "output"\n')
    imported(capsys, "model.pt", "--text", "text.txt", "--mapping", "names.toml", "--out", "early")  # its first name
    imported(capsys, "model.pt", "--text", "text.txt", "--map", "names.toml", "--out", "run")
    assert ostinato.load("run").evaluate("text.txt")["loss"] == pytest.approx(loss_by(model, ids()), abs=1e-5)


def test_without_a_folder_it_says_what_is_there_and_writes_nothing(capsys: pytest.CaptureFixture[str]):
    torch.save(LanguageModel(nn.LSTM(6, 8)).state_dict() | {"steps": torch.ones(2, 2, 2)}, "model.pt")
    said = imported(capsys, "model.pt")
    assert said["run"] is None
    assert said["left"] == [{"name": "steps", "why": said["left"][0]["why"], "shape": [2, 2, 2]}]
    assert {path.name for path in Path().iterdir()} == {"model.pt", "text.txt"}


def test_what_is_there_is_replaced_only_when_asked_for(capsys: pytest.CaptureFixture[str]):
    torch.save(LanguageModel(nn.LSTM(6, 8)).state_dict(), "model.pt")
    given = ("model.pt", "--text", "text.txt", "--out", "run")
    imported(capsys, *given)
    assert main(["import", *given]) == 2
    imported(capsys, *given, "--overwrite")
    assert main(["train", "lm", "text.txt", "--out", "run", "--resume"]) == 2
    assert "was imported" in capsys.readouterr().err


def _claiming() -> bytes:
    header = json.dumps(
        {"rnn.weight_ih_l0": {"dtype": "F32", "shape": [1 << 15, 1 << 15], "data_offsets": [0, 4 << 30]}}
    )
    return len(header).to_bytes(8, "little") + header.encode() + b"\0" * 64


def test_what_is_no_model_is_refused_and_nothing_is_written(capsys: pytest.CaptureFixture[str]):
    good = LanguageModel(nn.LSTM(6, 8)).state_dict()
    torch.save(good, "good.pt")
    whole = Path("good.pt").read_bytes()
    cases: dict[str, tuple[Any, str]] = {
        "missing.pt": (None, "no such file"),
        "text.pt": (b"a text and nothing else", "of no format that is known"),
        "cut.pt": (whole[: len(whole) // 2], "cut off"),
        "claims.safetensors": (_claiming(), "rnn.weight_ih_l0 of shape (32768, 32768): cut off"),
        "module.pt": (LanguageModel(nn.LSTM(6, 8)), "would run code"),
        "nan.pt": (good | {"rnn.weight_hh_l0": torch.full((32, 8), torch.nan)}, "rnn.weight_hh_l0"),
        "narrow.pt": (good | {"rnn.weight_hh_l0": torch.ones(30, 8)}, r"rnn: weight_hh_l0 of shape (30, 8)"),
        "short.pt": (good | {"rnn.bias_ih_l0": torch.ones(31)}, "rnn.bias_ih_l0: expected shape (32,)"),
        "half.pt": ({name: one for name, one in good.items() if name != "rnn.weight_hh_l0"}, "rnn"),
        "conv.pt": (nn.Conv1d(3, 4, 5).state_dict(), "holds no recurrent"),
        "dense.pt": (nn.Linear(3, 4).state_dict(), "holds no recurrent layer"),
        "wide.pt": (good | {"decoder.weight": torch.ones(31, 9)}, "no output layer of 8 inputs"),
        "tower.pt": (
            {**good, "top.weight_ih_l0": torch.ones(3, 5), "top.weight_hh_l0": torch.ones(3, 3)},
            "top reads 5",
        ),
        "huge.pt": (good | {"rnn.weight_ih_l0": torch.ones(1).expand(1 << 30, 6)}, "claims more"),
    }
    for name, (content, message) in cases.items():
        if isinstance(content, bytes):
            Path(name).write_bytes(content)
        elif content is not None:
            torch.save(content, name)
        said = refusal(capsys, name, "--text", "text.txt")
        assert message in said, (name, said)
        assert name in said


def test_a_vocabulary_that_is_not_the_models_is_refused(capsys: pytest.CaptureFixture[str]):
    torch.save(LanguageModel(nn.LSTM(6, 8)).state_dict(), "model.pt")
    Path("few.txt").write_text("w1 w2\n")
    Path("twice.txt").write_text("\n".join(["w1"] * 31))
    assert "--vocabulary" in refusal(capsys, "model.pt")
    assert "31 ids, the text 3" in refusal(capsys, "model.pt", "--text", "few.txt")
    assert "expected 31 tokens" in refusal(capsys, "model.pt", "--vocabulary", "few.txt")
    assert "twice" in refusal(capsys, "model.pt", "--vocabulary", "twice.txt")
    assert "not in the vocabulary" in refusal(capsys, "model.pt", "--text", "text.txt", "--eos", "END")
    assert "--pooling: a model of task 'lm'" in refusal(capsys, "model.pt", "--text", "text.txt", "--pooling", "max")
    assert "--map no.toml: cannot be read" in refusal(capsys, "model.pt", "--text", "text.txt", "--map", "no.toml")
    assert "has 3 gates" in refusal(capsys, "model.pt", "--text", "text.txt", "--cell", "gru")


def test_an_imported_model_learns_on(capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    torch.save(LanguageModel(nn.LSTM(6, 8)).state_dict(), "model.pt")
    imported(capsys, "model.pt", "--text", "text.txt", "--out", "run")
    run = ostinato.load("run")
    ids = torch.tensor(run.tokenizer.encode(Path("text.txt").read_text())).unsqueeze(1)
    optimizer = torch.optim.Adam(run.model.train().parameters(), lr=0.05)
    losses = []
    for _ in range(10):
        loss = F.cross_entropy(run.model(ids[:-1]).logits()[:, 0], ids[1:, 0])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] - 0.1


@pytest.mark.slow
def test_an_imported_run_is_looked_into_and_trains_on_from(capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    torch.save(LanguageModel(nn.LSTM(6, 8)).state_dict(), "model.pt")
    imported(capsys, "model.pt", "--text", "text.txt", "--out", "run")
    assert main(["inspect", "run", "gates", "--out", "pictures", "--data", "text.txt"]) == 0
    options = ["--epochs", "1", "--batch", "4", "--steps", "30", "--lr", "1e-6", "--dropout", "0"]
    assert main(["train", "lm", "text.txt", "--from", "run", "--out", "more", *options]) == 0
    before, after = (ostinato.load(name).evaluate("text.txt")["loss"] for name in ("run", "more"))
    assert after == pytest.approx(before, abs=1e-3)  # it began with these weights, and hardly learned


def test_layers_alone_in_python():
    both = nn.GRU(4, 5, 2, bidirectional=True)
    torch.save(nn.ModuleDict({"deep": nn.ModuleDict({"rnn": both})}).state_dict(), "layers.pt")
    found = ostinato.interop.read("layers.pt")
    (stack,) = found.of(ostinato.interop.Stack)
    assert (stack.name, stack.num_layers, stack.directions) == ("deep.rnn", 2, 2)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 3, 4), np.float32))
    torch.testing.assert_close(ostinato.interop.layer(stack)(x)[0], both(x)[0], atol=1e-5, rtol=0)


def beside(parts: nn.ModuleDict) -> dict[str, torch.Tensor]:
    """With another embedding, recurrent layer and output of the same sizes in front, which no name tells apart."""
    others = nn.ModuleDict({f"a_{name}": type(part)(*sizes_of(part)) for name, part in parts.items()})
    for name, own in others.items():
        if isinstance(own, nn.RNNBase):
            others[name] = type(own)(own.input_size, own.hidden_size, parts[name[2:]].num_layers, bidirectional=True)
    return others.state_dict() | parts.state_dict()


def sizes_of(part: nn.Module) -> tuple[int, int]:
    for names in (("num_embeddings", "embedding_dim"), ("input_size", "hidden_size"), ("in_features", "out_features")):
        if hasattr(part, names[0]):
            return getattr(part, names[0]), getattr(part, names[1])
    raise TypeError(part)


MAPPED = '"emb" = "embedding"\n"gru" = "recurrent"\n"fc" = "output"\n'


@pytest.mark.parametrize("pooling", ["last", "max", "mean"])
def test_a_classifier_of_torch(pooling: str, capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    parts = nn.ModuleDict(
        {"emb": nn.Embedding(31, 6), "gru": nn.GRU(6, 5, 2, bidirectional=True), "fc": nn.Linear(10, 3)}
    )
    torch.save(beside(parts) if pooling == "max" else parts.state_dict(), "model.pth")
    given = ["model.pth", "--text", "text.txt", "--pooling", pooling]
    if pooling == "max":  # only a mapping says which
        assert "by --map" in refusal(capsys, *given)
        Path("names.toml").write_text(MAPPED)
        given += ["--map", "names.toml"]
    imported(capsys, *given, "--out", "run")
    texts = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w1"]
    for text, answer in zip(texts, ostinato.load("run").predict(texts), strict=True):
        h = parts["gru"](parts["emb"](torch.tensor([ids()[word] for word in text.split()])))[0]
        pooled = {"max": h.amax(0), "mean": h.mean(0), "last": torch.cat([h[-1, :5], h[0, 5:]])}[pooling]
        expected = parts["fc"](pooled).softmax(-1)
        np.testing.assert_allclose([*answer["probabilities"].values()], expected.detach(), atol=2e-5)


def test_a_tagger_of_torch(capsys: pytest.CaptureFixture[str]):
    torch.manual_seed(0)
    parts = nn.ModuleDict(
        {"emb": nn.Embedding(31, 6), "rnn": nn.LSTM(6, 5, bidirectional=True), "fc": nn.Linear(10, 4)}
    )
    torch.save(parts.state_dict(), "model.pth")
    Path("tags.txt").write_text("N\nV\nD\nX\n")
    given = ["model.pth", "--task", "tag", "--text", "text.txt", "--labels", "tags.txt"]
    imported(capsys, *given, "--out", "run")
    words = ["w1", "w2", "w9", "w20"]
    (answer,) = ostinato.load("run").predict([words])
    scores = parts["fc"](parts["rnn"](parts["emb"](torch.tensor([ids()[word] for word in words])))[0])
    expected = ["NVDX"[tag] for tag in scores.argmax(-1)]
    assert answer.tags == expected
    torch.save(beside(parts), "model.pth")
    assert "by --map" in refusal(capsys, *given)
    Path("names.toml").write_text(MAPPED.replace("gru", "rnn"))
    imported(capsys, *given, "--map", "names.toml", "--out", "mapped")
    (answer,) = ostinato.load("mapped").predict([words])
    assert answer.tags == expected
    one_way = {name: value for name, value in parts.state_dict().items() if not name.endswith("_reverse")}
    torch.save(one_way | {"fc.weight": torch.ones(4, 5)}, "model.pth")
    assert "both directions" in refusal(capsys, "model.pth", "--task", "tag", "--text", "text.txt")
