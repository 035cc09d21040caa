"""Files that Keras itself wrote, against what Keras itself computes: where it is installed (the extra real-files)."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

import ostinato
from ostinato import interop
from ostinato.cli.main import main

os.environ.setdefault("KERAS_BACKEND", "torch")  # any will do
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow

ENDINGS = ("keras", "h5", "weights.h5")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("ids.txt").write_text("\n".join(f"w{number}" for number in range(20)))


def saved(model, ending: str) -> str:
    name = f"model.{ending}"
    model.save_weights(name) if ending.startswith("weights") else model.save(name)
    return name


@pytest.mark.parametrize("ending", ENDINGS)
def test_layers(ending: str):
    layers = keras.layers
    x = np.random.default_rng(0).standard_normal((2, 7, 4)).astype(np.float32)
    for layer in (
        layers.SimpleRNN(5, return_sequences=True, bias_initializer="normal"),
        layers.LSTM(5, return_sequences=True, bias_initializer="normal"),
        layers.GRU(5, return_sequences=True, bias_initializer="normal"),
        layers.GRU(5, return_sequences=True, reset_after=False, bias_initializer="normal"),
        layers.Bidirectional(layers.GRU(5, return_sequences=True, bias_initializer="normal")),
        *([] if ending == "weights.h5" else [layers.GRU(5, return_sequences=True, activation="softsign",
                                                        recurrent_activation="hard_sigmoid")]),
    ):  # fmt: skip
        model = keras.Sequential([keras.Input((None, 4)), layer])
        expected = keras.ops.convert_to_numpy(model(x))
        (stack,) = interop.read(saved(model, ending)).of(interop.Stack)
        output, _ = interop.layer(stack, batch_first=True)(torch.from_numpy(x))
        np.testing.assert_allclose(output.detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_classifier_of_padded_texts(ending: str):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((None,)),
            layers.Embedding(20, 6, mask_zero=True),
            layers.Bidirectional(layers.LSTM(5, return_sequences=True)),
            layers.Dropout(0.5),
            layers.Bidirectional(layers.LSTM(5)),
            layers.Dense(3, activation="softmax"),
        ]
    )
    assert main(["import", saved(model, ending), "--vocabulary", "ids.txt", "--out", "run"]) == 0
    texts = [[3, 4, 5], [1], [9, 8, 7, 6, 5, 4]]
    answers = ostinato.load("run").predict([" ".join(f"w{word}" for word in text) for text in texts])
    padded = np.array([text + [0] * (6 - len(text)) for text in texts])
    expected = keras.ops.convert_to_numpy(model(padded))
    found = [[*answer["probabilities"].values()] for answer in answers]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_functional_language_model():
    layers = keras.layers
    inputs = keras.Input((None,))
    h = layers.LSTM(6, return_sequences=True, name="second")(
        layers.LSTM(6, return_sequences=True, name="first")(layers.Embedding(20, 5)(inputs))
    )
    model = keras.Model(inputs, layers.Dense(20, activation="softmax")(h))
    assert main(["import", saved(model, "keras"), "--vocabulary", "ids.txt", "--out", "run"]) == 0
    run = ostinato.load("run")
    ids = np.random.default_rng(0).integers(0, 20, (3, 9))
    read = torch.tensor([[run.tokenizer.vocabulary[f"w{word}"] for word in row] for row in ids]).T
    with torch.no_grad():
        found = run.model(read).logits().softmax(-1).transpose(0, 1)[..., 2:]
    np.testing.assert_allclose(found.numpy(), keras.ops.convert_to_numpy(model(ids)), atol=1e-5)
