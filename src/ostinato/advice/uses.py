"""What a module uses of its recurrent layers' results, and whether that is what it seems to be."""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor

from ostinato.advice import diagnoses
from ostinato.advice.recurrent import Call, trailing
from ostinato.core.advice import Advice

#: A series changes little from step to step, and its examples differ: mean squares of differences over twice the
#: variance, which are 1 where neighbours have nothing to do with each other.
_SMOOTH, _ROUGH = 0.1, 0.7
#: Steps and sequences from which on that can be told.
_ENOUGH = 8


def findings(
    calls: Sequence[Call], looked_up: Sequence[tuple[Tensor, int]], lengths: Tensor | None
) -> Iterator[Advice]:
    """What the calls of recurrent layers show.

    Args:
        calls: after the module has run.
        looked_up: ids of embeddings, and which of them is padding.
        lengths: `[N]`, as the user knows them.
    """
    for call in calls:
        mixed = _axes_mixed_up(call, looked_up, lengths)
        if mixed is not None:
            yield mixed
            continue  # all else follows from it
        yield from _laid_out_wrong(call)
        if not getattr(call.layer, "reverse", False):
            yield from _steps(call)


def _axes_mixed_up(call: Call, looked_up: Sequence[tuple[Tensor, int]], lengths: Tensor | None) -> Advice | None:
    T, N = call.T, call.N
    if T < 2 or N < 2 or call.x is None:
        return None
    taken = f"{call.called} takes its input for {T} steps of {N} sequences (batch_first={call.layer.batch_first})"
    if lengths is not None and lengths.shape == (T,) and T != N and not call.told:
        return diagnoses.MIXED_UP.found(f"{taken}, and there are lengths of {T} sequences")
    steps, sequences, _ = _used(call)
    if len(sequences) == 1 and len(steps) == T and call.output.used:
        return diagnoses.MIXED_UP.found(f"{taken}; of its output sequence {sequences[0] + 1} alone is used")
    for ids, padding in looked_up:
        for laid in (ids, ids.transpose(0, 1)) if ids.dim() == 2 else ():
            padded = laid == padding
            if laid.shape == (T, N) and trailing(padded) is None and _clearly_trailing(padded.transpose(0, 1)):
                return diagnoses.MIXED_UP.found(f"{taken}, and padding (id {padding}) lies behind along the sequences")
    if min(T, N) >= _ENOUGH and _roughness(call.x) > _ROUGH and _roughness(call.x.transpose(0, 1)) < _SMOOTH:
        return diagnoses.MIXED_UP.found(
            f"{taken}, but numbers go on smoothly from sequence to sequence, and jump from step to step"
        )
    return None


def _clearly_trailing(padding: Tensor) -> bool:
    """Of `[T, N]`: behind each sequence, of several lengths."""
    found = trailing(padding)
    return found is not None and len(set(found.tolist())) > 1


def _roughness(x: Tensor) -> float:
    """How far neighbours along the first dimension of `[T, N, D]` differ: 0 not at all, 1 as any two do."""
    x = x.double()
    variance = float(x.var(dim=(0, 1), unbiased=False).mean())
    return float(x.diff(dim=0).square().mean()) / (2 * variance) if variance > 0 else 1.0


def _used(call: Call) -> tuple[list[int], list[int], Tensor]:
    """Steps and sequences of the output that something was computed with, and the places themselves."""
    places = call.output.places()
    known = places[places >= 0].cpu()
    step, sequence = known // call.directions // call.N, known // call.directions % call.N
    return sorted(set(step.tolist())), sorted(set(sequence.tolist())), known


def _laid_out_wrong(call: Call) -> Iterator[Advice]:
    for source in (call.state, call.output):
        for before, after in source.mixed[:1]:
            what = "final state" if source is call.state else "output"
            yield diagnoses.LAID_OUT_WRONG.found(
                f"the {what} of {call.called}, {list(before)}, becomes {list(after)} by a view"
            )


def _steps(call: Call) -> Iterator[Advice]:
    steps, _, known = _used(call)
    one_each = _one_step_each(call, known)
    short = 0 if call.lengths is None else int((call.lengths < call.T).sum())
    hold = getattr(call.layer, "hold_output", False)
    if one_each and steps == [call.T - 1] and short and not hold and bool((call.output.places() < 0).any()):
        yield diagnoses.LAST_OF_PADDED.found(
            f"of the output of {call.called} the last step of all is read, which is padding in {short} of {call.N} "
            "sequences"
        )
    elif short and not call.told and call.state.used and (one_each or not call.output.used):
        yield diagnoses.LAST_OF_PADDED.found(
            f"the final state of {call.called} is read, which has run over padding in {short} of {call.N} sequences: "
            "it is given neither a packed sequence nor lengths"
        )
    if call.directions == 2 and call.T > 1:
        yield from _two_directions(call, known)


def _one_step_each(call: Call, known: Tensor) -> bool:
    """Whether of each sequence one step is used at most."""
    pairs = set((known // call.directions).tolist())  # a step of a sequence each
    return len(pairs) > 0 and len(pairs) == len({pair % call.N for pair in pairs})


def _two_directions(call: Call, known: Tensor) -> Iterator[Advice]:
    step, sequence, direction = known // 2 // call.N, known // 2 % call.N, known % 2
    last = torch.full((call.N,), call.T) if call.lengths is None else call.lengths
    long = last[sequence] > 1
    ends = {
        "last step": (direction == 1, (step == last[sequence] - 1) | (step == call.T - 1)),
        "first step": (direction == 0, step == 0),
    }
    for name, (own, there) in ends.items():
        if bool((own & long).any()) and bool(there[own].all()) and _one_step_each(call, known[own]):
            half = "backward" if name == "last step" else "forward"
            yield diagnoses.LAST_OF_BIDIRECTIONAL.found(
                f"of the output of {call.called}, which runs both ways, the {name} is read: its {half} half has seen "
                f"one of up to {int(last.max())} steps"
            )
            return
    layers = call.state.places().cpu()
    used = set((layers[layers >= 0] // call.N).tolist())
    top = 2 * cast(int, call.layer.num_layers) - 2
    missing = {top, top + 1} - used
    if used and len(missing) == 1 and not call.output.used:
        name = "forward" if missing == {top} else "backward"
        yield diagnoses.ONE_DIRECTION.found(
            f"of the final states of {call.called}, which runs both ways, the {name} one of the last layer is not used"
        )
