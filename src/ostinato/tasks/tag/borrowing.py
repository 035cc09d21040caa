"""What a tagger takes over of a language model."""

from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.data.text.stream_decoder import EOS, UNK
from ostinato.data.text.tokenizer import Tokenizer
from ostinato.models.transfer import give_layers, give_rows
from ostinato.tasks.lending import Lent
from ostinato.tasks.tag.codec import TagCodec
from ostinato.tasks.tag.model import UNKNOWN, Tagger

#: Options of the language model that its tagger has as well.
BORROWED = frozenset({"cell", "layers", "hidden", "embed", "cell_options"})


def borrow(model: nn.Module, codec: TagCodec, lent: Lent) -> None:
    """The vectors of words, that of unknown ones too, and the layers that read forward; what a tagger reads besides
    counts nothing at first."""
    assert isinstance(model, Tagger)
    words = {UNK: lent.codec.tokenizer.unk_id} | words_of(lent.codec.tokenizer)
    own = {UNK: UNKNOWN} | codec.vocabulary.words
    give_rows(model.embedding.weight, lent.embedding[[*words.values()]], [own[word] for word in words])
    give_layers(model.recurrent, lent.recurrent)


def words_of(tokenizer: Tokenizer) -> dict[str, int]:
    """A language model's words as a tagger looks them up, in small letters, with the model's ids: of words that differ
    in capitals alone the one that has none, or the most frequent.

    Raises:
        ConfigError: it does not read words.
    """
    if tokenizer.level != "word":
        raise ConfigError(
            f"--from: a tagger reads words, and this language model reads by {tokenizer.level}: expected one of "
            "--level word"
        )
    found: dict[str, int] = {}
    for number in range(tokenizer.size):
        word = tokenizer.token(number)
        if word not in (EOS, UNK) and (word.lower() not in found or word == word.lower()):
            found[word.lower()] = number
    return found
