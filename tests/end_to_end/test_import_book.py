"""The book's pickles, in its layouts on random weights, against a transcription of its forward passes in NumPy."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

import ostinato
from ostinato.cli.main import main
from ostinato.interop import read
from tests.end_to_end.test_import import ids, imported, loss_by, own_folder, refusal  # noqa: F401
from tests.oracles import foreign

RNG = np.random.default_rng(1)


def drawn(*shape: int) -> np.ndarray:
    return (0.4 * RNG.standard_normal(shape)).astype(np.float32)


def lstm(D: int, H: int) -> list[np.ndarray]:
    return [drawn(D, 4 * H), drawn(H, 4 * H), drawn(4 * H)]


def saved(params: list[np.ndarray], name: str = "model.pkl") -> list[np.ndarray]:
    """As `BaseModel.save_params` does: in half precision."""
    half = [array.astype(np.float16) for array in params]
    with open(name, "wb") as file:
        pickle.dump(half, file)
    return [array.astype(np.float32) for array in half]


def hidden(run: ostinato.Run) -> np.ndarray:
    """States of the last layer after each token of text.txt, `[T, 1, H]`."""
    tokens = torch.tensor(run.codec.tokenizer.encode(Path("text.txt").read_text()))
    with torch.no_grad():
        return run.model.recurrent(run.model.embedding(tokens[:, None]))[0].numpy()


def read_by_them() -> list[int]:
    """The ids of text.txt's words that the book's models read."""
    known = ids()
    return [known[word] for word in Path("text.txt").read_text().replace("\n", " <eos> ").split()]


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_rnnlm(capsys: pytest.CaptureFixture[str]):
    embed, Wx, Wh, b, W, affine = saved([drawn(31, 6), *lstm(6, 7), drawn(7, 31), drawn(31)])
    said = imported(capsys, "model.pkl", "--text", "text.txt", "--out", "run")
    assert [part["name"] for part in said["parts"]] == ["embed", "lstm", "affine"]
    run = ostinato.load("run")
    expected = loss_by(lambda tokens: foreign.book_lstm(embed[tokens][:, None], Wx, Wh, b)[:, 0] @ W + affine, ids())
    assert run.evaluate("text.txt")["loss"] == pytest.approx(expected, abs=1e-5)
    close(hidden(run), foreign.book_lstm(embed[read_by_them()][:, None], Wx, Wh, b))
    assert "".join(run.generate("w1", 20, seed=0)).startswith(" w")


@pytest.mark.slow
def test_what_is_imported_is_looked_into_and_trains_on(capsys: pytest.CaptureFixture[str]):
    saved([drawn(31, 6), *lstm(6, 7), drawn(7, 31), drawn(31)])
    imported(capsys, "model.pkl", "--text", "text.txt", "--out", "run")
    assert main(["inspect", "run", "gates", "--out", "pictures", "--data", "text.txt"]) == 0
    assert (Path("pictures") / "gates-layer1.png").exists()
    options = ("--epochs", "2", "--threads", "1", "--lr", "0.01")
    assert main(["train", "lm", "text.txt", "--from", "run", "--out", "more", *options]) == 0
    before, after = (ostinato.load(run).evaluate("text.txt")["loss"] for run in ("run", "more"))
    assert after < before


@pytest.mark.parametrize("whole", [True, False])
def test_better_rnnlm(whole: bool, capsys: pytest.CaptureFixture[str]):
    embed = drawn(31, 7)
    params = [embed, *lstm(7, 7), *lstm(7, 7), *([embed.T] if whole else []), drawn(31)]
    embed, Wx1, Wh1, b1, Wx2, Wh2, b2, *_, affine = saved(params)
    imported(capsys, "model.pkl", "--text", "text.txt", "--out", "run")
    run = ostinato.load("run")
    assert run.model.tied
    assert run.config["model"]["num_layers"] == 2

    def states(tokens):
        return foreign.book_lstm(foreign.book_lstm(embed[tokens][:, None], Wx1, Wh1, b1), Wx2, Wh2, b2)

    expected = loss_by(lambda tokens: states(tokens)[:, 0] @ embed.T + affine, ids())
    assert run.evaluate("text.txt")["loss"] == pytest.approx(expected, abs=1e-5)
    close(hidden(run), states(read_by_them()))


ADDITION = [f"{a}+{b}".ljust(7) + f"_{a + b}".ljust(5) for a in (3, 12, 705) for b in (4, 86, 999)]


def greedy(model: str, params: list[np.ndarray], source: list[int], start: int, length: int) -> list[int]:
    """`Seq2seq.generate` of chapter 7 and 8: the encoder's h starts the decoder, whose c is zero."""
    e_embed, e_Wx, e_Wh, e_b, embed, Wx, Wh, b, W, affine = params
    hs = foreign.book_lstm(e_embed[source][:, None], e_Wx, e_Wh, e_b)[:, 0]
    H = hs.shape[1]
    h, c, found = hs[-1], np.zeros(H), []
    for _ in range(length):
        x = embed[start]
        if model == "peeky":
            x = np.concatenate([hs[-1], x])
        f, g, i, o = np.split(x @ Wx + h @ Wh + b, 4)
        c = foreign.sigmoid(f) * c + np.tanh(g) * foreign.sigmoid(i)
        h = foreign.sigmoid(o) * np.tanh(c)
        if model == "attention":
            a = np.exp(hs @ h - (hs @ h).max())
            seen = np.concatenate([a / a.sum() @ hs, h])
        else:
            seen = np.concatenate([hs[-1], h]) if model == "peeky" else h
        start = int((seen @ W + affine).argmax())
        found.append(start)
    return found


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("model", ["seq2seq", "peeky", "attention"])
def test_seq2seq(model: str, turned: bool, capsys: pytest.CaptureFixture[str]):
    Path("addition.txt").write_text("\n".join(ADDITION) + "\n")
    known: dict[str, int] = {}
    for character in "".join(ADDITION):
        known.setdefault(character, len(known))
    V, D, H = len(known), 5, 6
    decoder = D + H if model == "peeky" else D
    output = H if model == "seq2seq" else 2 * H
    params = [drawn(V, D), *lstm(D, H), drawn(V, D), *lstm(decoder, H), drawn(output, V), drawn(V)]
    params[-1][known["_"]] = -30  # a trained model never writes it
    params = saved(params)
    given = ["--pad", "7", "--max-length", "4", *(["--reverse"] if turned else [])]
    said = imported(capsys, "model.pkl", "--text", "addition.txt", *given, "--out", "run")
    assert said["task"] == "translate"
    run = ostinato.load("run")
    questions = [line.partition("_")[0] for line in ADDITION]
    written = run.predict(questions, beam=1)
    letters = {number: character for character, number in known.items()}
    for question, answer in zip(questions, written, strict=True):
        source = [known[character] for character in question]
        expected = greedy(model, params, source[::-1] if turned else source, known["_"], 4)
        assert answer == "".join(letters[one] for one in expected).strip()


@pytest.mark.parametrize("model", ["seq2seq", "peeky", "attention"])
def test_hidden_states_of_encoder_and_decoder_are_the_books(model: str, capsys: pytest.CaptureFixture[str]):
    Path("addition.txt").write_text("\n".join(ADDITION) + "\n")
    known = {character: number for number, character in enumerate(dict.fromkeys("".join(ADDITION)))}
    V, D, H = len(known), 5, 6
    decoder, output = (D + H if model == "peeky" else D), (H if model == "seq2seq" else 2 * H)
    params = saved([drawn(V, D), *lstm(D, H), drawn(V, D), *lstm(decoder, H), drawn(output, V), drawn(V)])
    e_embed, e_Wx, e_Wh, e_b, embed, Wx, Wh, b, W, affine = params
    imported(capsys, "model.pkl", "--text", "addition.txt", "--pad", "7", "--max-length", "4", "--out", "run")
    run = ostinato.load("run")
    source = torch.tensor(run.codec.source.encode("3+4    ")).unsqueeze(1)
    encoded = run.model.encoder(source)
    hs = foreign.book_lstm(e_embed[[known[one] for one in "3+4    "]][:, None], e_Wx, e_Wh, e_b)
    close(encoded.outputs.detach().numpy(), hs)
    assert not encoded.state.c.any()
    read = "_12"  # what the decoder is given
    x = embed[[known[one] for one in read]][:, None]
    peek = np.broadcast_to(hs[-1], (len(read), 1, H))
    h = foreign.book_lstm(np.concatenate([peek, x], -1) if model == "peeky" else x, Wx, Wh, b, hs[-1])
    seen = h
    if model == "peeky":
        seen = np.concatenate([peek, h], -1)
    elif model == "attention":
        scores = h[:, 0] @ hs[:, 0].T
        shares = np.exp(scores - scores.max(1, keepdims=True))
        seen = np.concatenate([(shares / shares.sum(1, keepdims=True) @ hs[:, 0])[:, None], h], -1)
    given = torch.tensor([run.codec.target.begin_id, *run.codec.target.encode(read[1:])]).unsqueeze(1)
    with torch.no_grad():
        found = run.model(source, target_inputs=given)
    close(found.hidden[..., :H].numpy(), h)
    known_to_both = [run.codec.target.encode(one)[0] for one in "0123456789"]
    theirs = (seen @ W + affine)[..., [known[one] for one in "0123456789"]]
    close(found.logits()[..., known_to_both].detach().numpy(), theirs)


class Hostile:
    """Runs a command where a pickle is loaded as pickles are."""

    def __reduce__(self):
        return os.system, ("touch harmed",)


def test_a_hostile_pickle_is_refused(capsys: pytest.CaptureFixture[str]):
    builtin = b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x141+1\x94\x85R."
    for content in (pickle.dumps([drawn(3, 4), Hostile()]), pickle.dumps(Hostile()), builtin, pickle.dumps(len)):
        Path("hostile.pkl").write_bytes(content)
        assert "hostile.pkl" in refusal(capsys, "hostile.pkl", "--text", "text.txt")
        assert not Path("harmed").exists()
    Path("hostile.pkl").write_bytes(pickle.dumps([drawn(3, 4), Hostile()]))
    assert "it would run posix.system" in refusal(capsys, "hostile.pkl", "--text", "text.txt")


def test_pickles_of_every_protocol_are_read():
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        arrays = [np.asfortranarray(drawn(9, 4)), *lstm(4, 3), drawn(3, 9), drawn(9)]
        Path("model.pkl").write_bytes(pickle.dumps(arrays, protocol))
        np.testing.assert_array_equal(read("model.pkl").parts[0].weight, arrays[0])


def test_damaged_pickles_and_other_arrays_are_refused(capsys: pytest.CaptureFixture[str]):
    whole = pickle.dumps([drawn(31, 6), *lstm(6, 7), drawn(7, 31), drawn(31)])
    nan = drawn(7, 28)
    nan[3, 3] = np.nan
    cases = {
        whole[: len(whole) // 2]: "cut off",
        whole.replace(b"K\x1fK\x06\x86", b"J\xff\xff\xff\x7fK\x06\x86", 1): "takes",  # V of 2**31 - 1
        pickle.dumps([drawn(31, 6), drawn(6, 28), nan, drawn(28), drawn(7, 31), drawn(31)]): "array 2: holds numbers",
        pickle.dumps([drawn(31, 6), *lstm(5, 7), drawn(7, 31), drawn(31)]): "lstm reads 5 features",
        pickle.dumps([drawn(31, 6), drawn(6, 27), *lstm(6, 7)[1:], drawn(7, 31)]): "arrays 1 to 3: expected Wx",
        pickle.dumps([drawn(31, 6), *lstm(6, 7), drawn(7, 30), drawn(31)]): "(7, 30), (31,)",
        pickle.dumps([drawn(9), drawn(9)]): "array 0: expected an embedding",
        pickle.dumps(["a", "b"]): "expected a list of arrays",
        pickle.dumps([np.array([None, "x"])]): "expected an array of numbers",
    }
    for content, message in cases.items():
        Path("model.pkl").write_bytes(content)
        said = refusal(capsys, "model.pkl", "--text", "text.txt")
        assert message in said, (message, said)
