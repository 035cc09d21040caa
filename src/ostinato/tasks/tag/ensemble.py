"""Several taggers of the same tags as one: the mean of each tag's probability for every word."""

from collections.abc import Sequence

import numpy as np
import torch

from ostinato.data.batching.buckets import in_length_order
from ostinato.tasks.contract import Progress
from ostinato.tasks.tag.figures import AT_ONCE, predict_probabilities, tag_names
from ostinato.tasks.tag.heads import TaggerOutput, decode_tags
from ostinato.tasks.tag.reading import WordSequences
from ostinato.tasks.trained import Trained


def tagged_together(
    run: Trained,
    sentences: Sequence[Sequence[str]],
    progress: Progress | None = None,
    features: Sequence[Sequence[Sequence[str]]] = (),
) -> list[list[str]]:
    """The tags of some sentences by an ensemble, whose members read by vocabularies of their own.

    What a chain has learned of neighbouring tags is in the marginals that are averaged; what a scheme of spans forbids
    is held to when tags are chosen.
    """
    tags = run.codec.vocabulary.tags
    each = []
    for done, member in enumerate(run.members, 1):
        own = member.codec.vocabulary
        sequences = WordSequences(sentences, own, features=features, longest=member.config["max_length"])
        found = predict_probabilities(member.model, sequences, len(own.tags))
        each.append(found[:, [own.tags.index(tag) for tag in tags]])
        if progress is not None:
            progress(done, len(run.members))
    mean = torch.as_tensor(np.mean(each, axis=0))
    logarithms = mean.clamp(min=torch.finfo(mean.dtype).tiny).log()
    lengths = [len(sentence) for sentence in sentences]
    ends, best_tags = np.cumsum(lengths), np.zeros(len(mean), np.int64)
    for rows in in_length_order(lengths, AT_ONCE):
        own_rows = [logarithms[ends[row] - lengths[row] : ends[row]] for row in rows]
        emissions = torch.nn.utils.rnn.pad_sequence(own_rows)
        output = TaggerOutput("softmax", emissions, torch.tensor([len(one) for one in own_rows]))
        best = decode_tags(output, run.codec.constraints).numpy()
        for column, row in enumerate(rows):
            best_tags[ends[row] - lengths[row] : ends[row]] = best[: lengths[row], column]
    return tag_names(best_tags, tags, sentences)
