"""Words, their spelling and tags as ids, and in batches."""

import numpy as np
import pytest
import tokenizers
import torch

from ostinato.core.errors import DataError
from ostinato.tasks.tag.reading import SPELLED, UNKNOWN_TAG, TagVocabulary, WordSequences

SENTENCES = [["The", "cat", "sat"], [], ["the", "dog"], ["Sat", "the", "cat", "the", "cat"]]
TAGS = [["D", "N", "V"], [], ["D", "N"], ["V", "D", "N", "D", "N"]]


@pytest.fixture
def vocabulary():
    return TagVocabulary.learn(SENTENCES, TAGS)


def spelling(batch, t, n):
    """The characters a batch holds for a word."""
    column = batch.more["spelled"][t, n]
    return batch.more["characters"][: batch.more["character_lengths"][column], column].tolist()


def test_vocabulary_is_ranked_in_small_letters(vocabulary):
    assert vocabulary.words == {"the": 1, "cat": 2, "sat": 3, "dog": 4}
    assert vocabulary.characters == "STacdeghost"
    assert vocabulary.tags == ("D", "N", "V")


def test_a_limit_keeps_the_most_frequent(vocabulary):
    assert TagVocabulary.learn(SENTENCES, TAGS, 3).words == {"the": 1, "cat": 2}


def test_saved_and_loaded(vocabulary):
    content = vocabulary.to_json()
    assert TagVocabulary.from_json(content, vocabulary.characters, vocabulary.tags) == vocabulary
    assert tokenizers.Tokenizer.from_str(content).encode("The cat RAN").ids == [1, 2, 0]
    with pytest.raises(DataError, match="a tagger's words"):
        TagVocabulary.from_json("{", "", ())


def test_a_batch_holds_each_word_its_tag_and_its_spelling(vocabulary):
    sequences = WordSequences(SENTENCES, vocabulary, TAGS)
    assert sequences.lengths.tolist() == [3, 2, 5]
    assert (len(sequences), sequences.words) == (3, 10)
    rows = [2, 0]
    batch = sequences.collate(np.array(rows))
    whole, tags = [s for s in SENTENCES if s], [t for t in TAGS if t]
    assert batch.lengths.tolist() == [5, 3]
    for n, row in enumerate(rows):
        for t, word in enumerate(whole[row]):
            assert batch.inputs[t, n] == vocabulary.words[word.lower()]
            assert vocabulary.tags[batch.targets[t, n]] == tags[row][t]
            assert "".join(vocabulary.characters[c - 1] for c in spelling(batch, t, n)) == word
    assert batch.more["characters"].shape[1] == len({"Sat", "the", "cat", "The", "sat"})


def test_what_is_unknown(vocabulary):
    sequences = WordSequences([["The", "cow"]], vocabulary, [["D", "N"]])
    batch = sequences.collate(np.array([0]))
    assert batch.inputs.tolist() == [[1], [0]]
    assert spelling(batch, 1, 0) == [4, 9, 0]  # c, o and the unknown
    assert WordSequences([["The"]], vocabulary, [["X"]]).tags.tolist() == [UNKNOWN_TAG]
    assert sequences.unknown == 0.5


def test_a_long_word_keeps_both_ends():
    word = "".join(chr(0x4E00 + number) for number in range(100))
    vocabulary = TagVocabulary.learn([[word]], [["X"]])
    spelled = spelling(WordSequences([[word]], vocabulary).collate(np.array([0])), 0, 0)
    assert "".join(vocabulary.characters[c - 1] for c in spelled) == word[: SPELLED // 2] + word[-SPELLED // 2 :]


def test_long_sentences_are_cut_evenly(vocabulary):
    sequences = WordSequences(SENTENCES, vocabulary, TAGS, longest=3)
    assert sequences.lengths.tolist() == [3, 2, 3, 2]
    assert sequences.collate(np.array([2])).inputs.T.tolist() == [[3, 1, 2]]
    assert sequences.collate(np.array([3])).targets.T.tolist() == [[0, 1]]


def test_places_put_answers_back_in_order(vocabulary):
    sequences = WordSequences(SENTENCES, vocabulary, TAGS)
    found = np.full(sequences.words, -1)
    for places, batch in sequences.in_length_order(2):
        inside = torch.arange(len(batch.inputs)).unsqueeze(1) < batch.lengths
        found[places] = batch.inputs.T[inside.T]
    assert found.tolist() == [vocabulary.words[word.lower()] for sentence in SENTENCES for word in sentence]


def test_one_tag_a_word(vocabulary):
    with pytest.raises(ValueError, match="got 1 for 2 words"):
        WordSequences([["the", "cat"]], vocabulary, [["D"]])


def test_counts(vocabulary):
    assert WordSequences([*SENTENCES, ["cow"]], vocabulary).counts(6).tolist() == [1, 4, 3, 2, 1, 0]
