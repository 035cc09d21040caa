"""What `ostinato.sklearn.SequenceTagger` asks of the task: see `ostinato.tasks.estimators`."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ostinato.data.text.conll import Tagged
from ostinato.tasks.tag.data import PreparedSentences, prepare_tagged
from ostinato.tasks.tag.figures import predict_probabilities
from ostinato.tasks.tag.options import TrainTag
from ostinato.tasks.tag.reading import WordSequences
from ostinato.tasks.trained import Trained


def prepare(options: TrainTag, columns: None, data: Tagged, share: float) -> PreparedSentences:
    """Sentences with their tags, made ready; sentences in memory have no columns."""
    return prepare_tagged(options, data, share=share)


def tags(run: Trained, sentences: Sequence[list[str]]) -> list[list[str]]:
    """The most probable tags of each sentence's words, by name."""
    found: list[list[str]] = run.codec.tag(run, sentences)
    return found


def probabilities(run: Trained, sentences: Sequence[list[str]], tags: Sequence[str]) -> npt.NDArray[np.float32]:
    """The probability of each of these tags for every word, `[words, tags]`; with a CRF, given the whole sentence."""
    vocabulary = run.codec.vocabulary
    sequences = WordSequences(sentences, vocabulary, longest=run.config["max_length"])
    found = predict_probabilities(run.model, sequences, len(vocabulary.tags))
    return found[:, [vocabulary.tags.index(tag) for tag in tags]]
