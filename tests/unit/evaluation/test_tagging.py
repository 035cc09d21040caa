"""Answers in the order of the words, and the figures."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ostinato.core.span_tags import BIO
from ostinato.layers.crf import Chain
from ostinato.tasks.tag.codec import span_constraints
from ostinato.tasks.tag.figures import (
    predict_probabilities,
    predict_tags,
    predict_with_loss,
    scores_by_type,
    tag_names,
    tagging_figures,
)
from ostinato.tasks.tag.heads import TaggerOutput
from ostinato.tasks.tag.reading import TagVocabulary, WordSequences

WORDS = [["a"], [], ["b", "a", "c"], ["c", "b"]] * 40  # more than one batch


class Echo(nn.Module):
    """Scores each word's own id highest, modulo the tags."""

    def forward(self, words, lengths, **more):
        assert not self.training
        return TaggerOutput("softmax", nn.functional.one_hot(words % 3, 3).float(), lengths, None)


@pytest.fixture
def sequences():
    return WordSequences(WORDS, TagVocabulary({"a": 1, "b": 2, "c": 3}, "abc", ("B-X", "I-X", "O")))


def test_each_word_gets_its_answer(sequences):
    expected = [{"a": 1, "b": 2, "c": 0}[word] for sentence in WORDS for word in sentence]
    model = Echo().train()
    told = []
    found = predict_tags(model, sequences, progress=lambda done, total: told.append((done, total)))
    assert found.tolist() == expected
    assert model.training
    assert told[-1] == (240, 240)
    probabilities = predict_probabilities(model, sequences, 3)
    assert probabilities.argmax(1).tolist() == expected
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)


def test_rules_are_kept_where_asked_for(sequences):
    names = ("B-X", "I-X", "O")
    found = predict_tags(Echo(), sequences, span_constraints(names))
    sentences = np.split(found, np.cumsum([len(sentence) for sentence in WORDS]))
    for sentence in sentences:
        assert not any(tag == 1 and before == 2 for before, tag in itertools.pairwise([2, *sentence]))


def test_figures():
    right = [["B-X", "I-X", "O"], ["O"]]
    found = [["B-X", "O", "O"], ["O"]]
    alike = {"tokens": 4, "constant_accuracy": 0.5}
    assert tagging_figures(right, found, BIO) == alike | {"accuracy": 0.75, "span_f1": 0.0, "distinct": 2}
    assert tagging_figures(right, right, BIO) == alike | {"accuracy": 1.0, "span_f1": 1.0, "distinct": 3}
    assert scores_by_type(right, found, BIO) == {"X": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}}
    assert scores_by_type([["N", "V"]], [["N", "N"]])["N"] == {
        "precision": 0.5,
        "recall": 1.0,
        "f1": 2 / 3,
        "support": 1,
    }
    figures = tagging_figures([["N", "V", "V"]], [["N", "N", "N"]])
    assert figures == {"tokens": 3, "accuracy": 1 / 3, "distinct": 1, "constant_accuracy": 2 / 3}
    with pytest.raises(ValueError, match="zip"):
        tagging_figures(right, [["O", "O", "O"]])


def test_no_gradient_is_kept(sequences):
    predict_tags(Echo(), sequences)
    assert torch.is_grad_enabled()


def test_loss_is_the_mean_over_words():
    vocabulary = TagVocabulary({"a": 1, "b": 2, "c": 3}, "abc", ("B-X", "I-X", "O"))
    tags = [["O"] * len(sentence) for sentence in WORDS]
    sequences = WordSequences(WORDS, vocabulary, tags)
    found, loss = predict_with_loss(Echo(), sequences)
    assert found.tolist() == predict_tags(Echo(), sequences).tolist()
    total = np.log(2 + np.e)  # of the scores 1, 0, 0
    right = np.mean([word == "b" for sentence in WORDS for word in sentence])
    assert loss == pytest.approx(total - right, abs=1e-6)


@pytest.mark.parametrize("chained", [False, True])
def test_loss_leaves_out_what_the_model_cannot_say(chained):
    """A tag that training never saw: of a softmax the word has no loss, of a CRF the sentence has none."""
    vocabulary = TagVocabulary({"a": 1, "b": 2, "c": 3}, "abc", ("B-X", "I-X", "O"))
    chain = Chain(torch.zeros(3), torch.zeros(3, 3), torch.zeros(3)) if chained else None

    class Chained(Echo):
        def forward(self, words, lengths, **more):
            return super().forward(words, lengths, **more)._replace(chain=chain)

    def loss(sentences, tags):
        return predict_with_loss(Chained(), WordSequences(sentences, vocabulary, tags))[1]

    known = loss([["a"], ["b", "a"]], [["O"], ["O", "I-X"]])
    assert loss([["a"], ["b", "a"], ["c"]], [["O"], ["O", "I-X"], ["NEW"]]) == pytest.approx(known)
    found, nothing = predict_with_loss(Chained(), WordSequences([["a"]], vocabulary, [["NEW"]]))
    assert (found.tolist(), nothing) == ([1], 0.0)


def test_names_go_to_their_sentences():
    assert tag_names(np.array([1, 0, 1, 2]), "xyz", [["a"], [], ["b", "c", "d"]]) == [["y"], [], ["x", "y", "z"]]
    assert tag_names(np.array([], np.int64), "xyz", []) == []
    assert tag_names(np.array([0]), "xyz", [["a"], []]) == [["x"], []]
