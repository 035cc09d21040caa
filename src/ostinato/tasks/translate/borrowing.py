"""What a translator takes over of a language model: the vocabulary, embedding and layers of a side."""

from torch import nn

from ostinato.core.errors import ConfigError
from ostinato.models.transfer import give_layers, give_rows
from ostinato.tasks.lending import Lent
from ostinato.tasks.translate.codec import PairCodec
from ostinato.tasks.translate.model import Seq2Seq

#: Options of the language model that its translator has as well.
BORROWED = frozenset({"cell", "layers", "hidden", "embed", "cell_options", "level"})


def borrow(model: nn.Module, codec: PairCodec, lent: Lent) -> None:
    """The sides whose vocabulary is the language model's get its vectors and its layers. What a decoder reads besides
    (the attention's context, what is fed back) counts nothing at first."""
    assert isinstance(model, Seq2Seq)
    theirs, recurrent = lent.codec.tokenizer.to_json(), lent.recurrent
    if codec.source.to_json() == theirs:
        if model.encoder.recurrent.bidirectional:
            raise ConfigError(
                "--from: a language model reads one way, an encoder of both ways has half of its units for each: give "
                "--no-bidirectional, or --from-side target"
            )
        give_rows(model.encoder.embedding.weight, lent.embedding)
        give_layers(model.encoder.recurrent, recurrent)
    if codec.target.to_json() == theirs:
        give_rows(model.decoder.embedding.weight, lent.embedding)
        give_layers(model.decoder.first, recurrent, first=0)
        if model.decoder.above is not None:
            give_layers(model.decoder.above, recurrent, first=1)
