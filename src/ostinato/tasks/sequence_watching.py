"""Looking inside models of one answer to a sequence: what their recurrent layers do at the steps of one input."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt
from torch import Tensor

from ostinato.core.errors import DataError
from ostinato.data.labelled.reading import SequenceCodec, batch_of, read_labelled
from ostinato.inspection.observed import Observed, Typed
from ostinato.models.many_to_one import ManyToOne
from ostinato.tasks.trained import Trained
from ostinato.tasks.typed import typed_numbers
from ostinato.tasks.watching import required


def observed(run: Trained, source: str | None, scalar: Callable[[Any], Tensor], what: str, steps: int) -> Observed:
    """The first example of a source, as `Observes.observe` has it: so many steps of it at most, and a scalar of the
    model's output, called `what`, that gradients are taken of.

    Raises:
        DataError: nothing to read.
    """
    codec: SequenceCodec = run.codec.reads
    raw = read_labelled(required(source), codec.columns, labels=False)
    values = codec.encode(raw)[0][:steps]
    read = [str(t + 1) for t in range(len(values))] if codec.tokenizer is None else codec.tokenizer.pieces(values)
    if not read:
        raise DataError(f"{raw.places(0)}: expected a sequence of at least one step")
    return _observed(run, values, read, scalar, what)


def typed(run: Trained, text: str, scalar: Callable[[Any], Tensor], what: str) -> Typed:
    """What a run reads of a text that somebody types, with a scalar as `observed` takes it.

    Raises:
        DataError: a line that is not the numbers it should be, of a run that reads such.
    """
    codec: SequenceCodec = run.codec.reads
    steps: npt.NDArray[Any]
    if codec.tokenizer is not None:
        steps, spans = codec.tokenizer.encode_with_spans(text)
    else:
        assert codec.scale is not None
        names = ", ".join(codec.columns.values) or "one of each channel"
        values, spans = typed_numbers(text, len(codec.scale.mean), names, missing=True)
        steps = codec.scale.apply(values)
    pieces, stride = [text[begin:end] for begin, end in spans], _stride(run)
    whole = [(part[0][0], part[-1][1]) for part in _parts(spans, stride)]

    def upto(count: int) -> Observed:
        return _observed(run, steps[: count * stride], pieces[: count * stride], scalar, what)

    return Typed(whole, upto)


def _observed(
    run: Trained, values: npt.NDArray[Any], pieces: list[str], scalar: Callable[[Any], Tensor], what: str
) -> Observed:
    batch, pooling = batch_of([values]), run.config["model"]["pooling"]
    if pooled := pooling != "last":
        what += f", which {pooling} pooling hands to every step"
    pieces = [_joined(part) for part in _parts(pieces, _stride(run))]
    return Observed(pieces, batch.inputs, batch.arguments(), scalar, what, pooled=pooled)


def _stride(run: Trained) -> int:
    """Steps that are one step of the recurrent layers."""
    model = run.model
    assert isinstance(model, ManyToOne)
    return 1 if model.convolutions is None else model.convolutions.stride


def _parts(steps: Sequence[Any], stride: int) -> list[Sequence[Any]]:
    return [steps[begin : begin + stride] for begin in range(0, len(steps), stride)]


def _joined(pieces: Sequence[str]) -> str:
    """Of several steps the first and the last."""
    return pieces[0] if len(pieces) == 1 else f"{pieces[0]} to {pieces[-1]}"
