"""Perplexity against a single loop over torch.nn, one token after the other."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ostinato.data.batching.streams import single_stream
from ostinato.data.text.corpus import learned_tokenizer, token_ids
from ostinato.data.text.reading import open_text
from ostinato.evaluation import bits_per_character, perplexity
from ostinato.tasks.lm.figures import evaluate_language_model, mean_loss
from ostinato.tasks.lm.model import LanguageModel

V, EOS = 13, 5
IDS = np.random.default_rng(3).integers(0, V, 157).astype(np.uint16)


@pytest.fixture
def model():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = LanguageModel(V, 6, 8, 2, dropout=0.5)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.7)  # far from even, so that mistakes show
    return model.eval()


@torch.no_grad()
def by_hand(model, ids, eos):
    """Every token in turn, each predicted from all before it, the first from <eos>."""
    cells = [nn.LSTMCell(6, 8), nn.LSTMCell(8, 8)]
    for index, cell in enumerate(cells):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(cell, name).copy_(getattr(model.recurrent, f"{name}_l{index}"))
    states = [(torch.zeros(1, 8), torch.zeros(1, 8)) for _ in cells]
    total, previous = 0.0, eos
    for token in ids:
        x = model.embedding.weight[previous][None]
        for index, cell in enumerate(cells):
            states[index] = cell(x, states[index])
            x = states[index][0]
        scores = (model.decoder.weight @ x[0] + model.decoder.bias).double()
        total -= float(scores[int(token)] - torch.logsumexp(scores, 0))
        previous = int(token)
    return total / len(ids)


@pytest.mark.parametrize("steps", [1, 7, 100, 157, 1000])
def test_every_token_counts_however_the_text_is_cut(model, steps):
    figures = evaluate_language_model(model, single_stream(IDS, steps, EOS), len(IDS), level="char")
    expected = by_hand(model, IDS, EOS)
    assert figures["tokens"] == 157
    assert figures["loss"] == pytest.approx(expected, rel=1e-5)
    assert figures["perplexity"] == pytest.approx(math.exp(expected), rel=1e-4)
    assert figures["bits_per_character"] == pytest.approx(expected / math.log(2), rel=1e-5)


def test_the_first_token_is_predicted_from_eos(model):
    losses = [mean_loss(model, single_stream(IDS[:1], 10, eos)) for eos in (EOS, EOS + 1)]
    assert losses == pytest.approx([by_hand(model, IDS[:1], eos) for eos in (EOS, EOS + 1)], rel=1e-5)
    assert abs(losses[0] - losses[1]) > 1e-3


def test_bits_only_for_characters(model):
    pieces = single_stream(IDS, 100)
    assert set(evaluate_language_model(model, pieces, 157, level="word")) == {"tokens", "loss", "perplexity"}


def test_a_model_in_training_is_measured_without_dropout_and_stays_in_training(model):
    expected = mean_loss(model, single_stream(IDS, 100))
    model.train()
    assert evaluate_language_model(model, single_stream(IDS, 100), 157, level="word")["loss"] == expected
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_formulas():
    assert perplexity(math.log(50)) == pytest.approx(50)
    assert perplexity(1e6) < math.inf
    assert bits_per_character(math.log(8)) == pytest.approx(3)


def test_penn_treebanks_test_part_has_82430_tokens(tmp_path):
    """Zaremba et al. and everyone after: all of them count, <eos> at each line's end included."""
    folder = Path(os.environ.get("OSTINATO_DATA", Path(__file__).parents[4] / "shared" / "data")) / "ptb"
    if not folder.is_dir():
        pytest.skip(f"no Penn Treebank in {folder} (set OSTINATO_DATA)")
    tokenizer = learned_tokenizer(open_text(folder / "ptb.train.txt"), "word", cache_dir=tmp_path)
    ids = token_ids(open_text(folder / "ptb.test.txt"), tokenizer, tmp_path)
    model = LanguageModel(tokenizer.size, 2, 2).eval()
    nn.init.zeros_(model.decoder.weight)
    counts = np.bincount(ids, minlength=tokenizer.size)
    with torch.no_grad():
        model.decoder.bias.copy_(torch.tensor(np.log(counts + 1)))
    figures = evaluate_language_model(model, single_stream(ids, 400, tokenizer.eos_id), len(ids), level="word")
    share = (counts + 1) / (counts + 1).sum()
    assert figures["tokens"] == 82_430
    assert figures["loss"] == pytest.approx(-(counts * np.log(share)).sum() / 82_430, rel=1e-5)  # a unigram's, by hand
