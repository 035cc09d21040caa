"""`doctor`: what goes wrong in somebody's own PyTorch module, found by running it on one batch."""

import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ostinato.advice import diagnoses, uses
from ostinato.advice.following import Following, graph_of, leaves_of, tensors_in
from ostinato.advice.inside import Ran, looking_inside
from ostinato.advice.recurrent import SEQUENCES, STEPS, Watch, watched
from ostinato.advice.untouched import untouched
from ostinato.core.advice import Advice
from ostinato.core.batch import Batch
from ostinato.core.errors import ConfigError

#: Least share of the largest gradient that counts: about what float32 keeps of a sum with it.
_COUNTS = 1e-7
#: Steps from which on it is worth asking how far gradients reach.
_LONG = 10
#: How many times as large a gradient far back may be as one at the end.
_GROWN = 1e4
#: A unit whose values differ less than that does not move; one beyond that is at an end of tanh.
_STILL, _END = 1e-6, 0.99
#: Share of the steps that a unit has to be at an end, and of the units that has to be so before it is said.
_MOSTLY, _MANY = 0.95, 0.5


class Findings(list[Advice]):
    """What a doctor has found; empty where nothing was."""

    def __str__(self) -> str:
        if not self:
            return "nothing found"
        return "\n".join(_shown(one) for one in self)

    __repr__ = __str__


def doctor(
    module: nn.Module,
    batch: Any,
    *,
    target: Any = None,
    loss: Callable[..., Tensor] | None = None,
    lengths: Tensor | None = None,
) -> Findings:
    """Look for what commonly goes wrong with recurrent layers, torch.nn's or this package's, in a module of your own.

        print(ostinato.doctor(model, x, target=y, loss=nn.CrossEntropyLoss(), lengths=lengths))

    The module is run three times on the batch, and once backward; its weights, buffers, gradients, attributes, mode,
    hooks and all random numbers are afterwards what they were. It finds a state that is carried from batch to batch
    without being detached; batch and time mixed up; the last step of padded or of bidirectional sequences taken for the
    final state; states laid out wrong by a view; gradients that vanish or explode on their way back through the steps;
    units that do not move or are saturated; parameters without gradient; a softmax in front of a cross-entropy that
    takes one itself. Each is explained in the guide *When training goes wrong*. What it does not say may still be
    wrong.

    Args:
        module: any; it runs in training mode.
        batch: what it is called with: a tensor, a tuple of arguments, a dict of arguments by name, or an
            `ostinato.Batch`. Give the state that your loop passes on, too: `(x, state)`.
        target: what is expected of its output; goes to `loss`.
        loss: of torch.nn, or a function: called with the output and, where there is one, the target. Of a module whose
            output is a tuple, a loss of torch.nn gets the first part; and classes in the last dimension, as time steps
            have them, are taken for what they are. By default cross-entropy of whole numbers, mean squared error of
            others; without a target a random projection of the output.
        lengths: `[N]` steps of each sequence, where sequences are padded; passed on where the module has an argument of
            that name.

    Returns:
        A list of `Advice`, each with what was seen (`said`), what it means, what to do and where that is explained;
        printed, it reads as text.

    Raises:
        ConfigError: something that is no module, or one that has never run and whose sizes are still open.
    """
    if not isinstance(module, nn.Module):
        raise ConfigError(f"doctor: expected a torch.nn.Module, got {type(module).__name__}")
    if isinstance(batch, Batch):
        target, lengths = (batch.targets if target is None else target), (batch.lengths if lengths is None else lengths)
        first = next(iter(inspect.signature(module.forward).parameters), "input")
        batch = {first: batch.inputs, **batch.arguments()}
    lengths = None if lengths is None else torch.as_tensor(lengths).detach().cpu()
    args, kwargs = _arguments(module, batch, lengths)
    with untouched(module), torch.enable_grad():
        module.train()
        found = list(_examined(module, args, kwargs, target, loss, lengths))
    return Findings({(one.name, one.said): one for one in found}.values())


def _examined(
    module: nn.Module, args: Any, kwargs: Any, target: Any, loss: Callable[..., Tensor] | None, lengths: Tensor | None
) -> Iterator[Advice]:
    came, (args, kwargs) = (args, kwargs), _cut_off((args, kwargs))
    _cut_off_kept(module)
    following = Following()
    watch = Watch(following, lengths)
    with watched(module, watch), following:
        first = module(*args, **kwargs)
        following.use(first)
    yield from _passed_on(module, came, watch.stepped)
    yield from uses.findings(watch.calls, following.looked_up, lengths)
    yield from _kept(module, first, args, kwargs)
    del first
    _cut_off_kept(module)
    with looking_inside(module) as ran:
        output = module(*args, **kwargs)
    for one in ran:
        yield from _units(one)
    yield from _gradients(module, output, target, loss, ran)


def _arguments(module: nn.Module, batch: Any, lengths: Tensor | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the module is called with, by place and by name."""
    args = tuple(batch) if isinstance(batch, tuple | list) else () if isinstance(batch, Mapping) else (batch,)
    kwargs = dict(batch) if isinstance(batch, Mapping) else {}
    taken = inspect.signature(module.forward).parameters
    place = list(taken).index("lengths") if "lengths" in taken else 0
    if lengths is not None and "lengths" in taken and "lengths" not in kwargs and len(args) <= place:
        kwargs["lengths"] = lengths
    return args, kwargs


def _cut_off(value: Any) -> Any:
    """The same, without the graphs that made it, which are the user's."""
    if isinstance(value, Tensor):
        return value.detach() if value.grad_fn is not None else value
    if isinstance(value, dict):
        return {name: _cut_off(one) for name, one in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_cut_off(one) for one in value))
    return type(value)(_cut_off(one) for one in value) if isinstance(value, tuple | list) else value


def _cut_off_kept(module: nn.Module) -> None:
    """What the module has kept from calls before, too."""
    for _, attribute, value, part in _attributes(module):
        part.__dict__[attribute] = _cut_off(value)


def _attributes(module: nn.Module) -> list[tuple[str, str, Any, nn.Module]]:
    """Plain attributes that hold tensors with graphs: where, what they are called, what they are, whose."""
    return [
        (name, attribute, value, part)
        for name, part in module.named_modules()
        for attribute, value in part.__dict__.items()
        if attribute not in ("_parameters", "_buffers", "_modules", "_flat_weights") and graph_of(value)
    ]


def _passed_on(module: nn.Module, came: Any, stepped: Mapping[str, int]) -> Iterator[Advice]:
    """A state among the arguments that the module itself has made, with its graph."""
    for name, part in module.named_modules():
        whole = isinstance(part, SEQUENCES)
        if not whole and not (isinstance(part, STEPS) and stepped.get(name, 0) > 1):
            continue
        own = {id(parameter) for parameter in part.parameters()}
        fed_back = {one.shape[-1] for name, one in part.named_parameters() if "weight_hh" in name}
        sizes = fed_back | {getattr(part, "hidden_size", 0)}
        for tensor in tensors_in(came):
            state = tensor.dim() == (3 if whole else 2) and tensor.shape[-1] in sizes
            if state and tensor.grad_fn is not None and leaves_of(tensor) & own:
                yield diagnoses.STATE_NOT_DETACHED.found(
                    f"the state {list(tensor.shape)} that is passed in for {name or type(part).__name__} still has the "
                    "graph that made it, with the layer's own weights in it"
                )
                return


def _kept(module: nn.Module, first: Any, args: Any, kwargs: Any) -> Iterator[Advice]:
    """What the module keeps from one call to the next, if the second call's graph reaches into the first's."""
    kept = {f"{name}.{attribute}".lstrip("."): value for name, attribute, value, _ in _attributes(module)}
    before = graph_of([first, list(kept.values())])
    shared = graph_of(module(*args, **kwargs)) & before
    if shared:
        names = [name for name, value in kept.items() if graph_of(value) & shared] or ["something that is kept"]
        yield diagnoses.STATE_NOT_DETACHED.found(
            f"the graph of a second call reaches into that of the first, by {', '.join(names[:3])}: "
            f"{len(shared):,} operations of it"
        )


def _units(ran: Ran) -> Iterator[Advice]:
    """Units that stay at an end, or never move."""
    for gate, values in ran.gates.items():
        if ran.functions.get(gate) != "tanh" or values[..., 0].numel() < _LONG:
            continue
        at_end = (values.abs() > _END).flatten(0, -2).float().mean(0) > _MOSTLY
        if float(at_end.float().mean()) > _MANY:
            yield diagnoses.SATURATED.found(
                f"{int(at_end.sum())} of {len(at_end)} units of {ran.label} have tanh at -1 or 1 nearly all the time "
                f"({gate})"
            )
            return
    states = [fields[0].detach().flatten(0, -2) for fields in ran.states[ran.initial :]]
    if sum(map(len, states)) >= _LONG:
        flat = torch.cat(states)
        still = (flat.amax(0) - flat.amin(0)) < _STILL
        if float(still.float().mean()) > _MANY:
            yield diagnoses.DEAD.found(f"{int(still.sum())} of {len(still)} units of {ran.label} never move")


def _gradients(
    module: nn.Module, output: Any, target: Any, loss: Callable[..., Tensor] | None, ran: list[Ran]
) -> Iterator[Advice]:
    with _LossInputs() as seen:
        total = _loss_of(output, target, loss)
    if loss is not None:
        yield from seen.found
    everything = total if loss is not None else _projection(output)
    parameters = {name: one for name, one in module.named_parameters() if one.requires_grad}
    if everything.grad_fn is None:
        if parameters:
            what = "output" if loss is None else "loss"
            yield diagnoses.NO_GRADIENT.found(f"the {what} depends on none of {len(parameters)} parameters")
        return
    if parameters:
        gradients = torch.autograd.grad(everything, list(parameters.values()), allow_unused=True, retain_graph=True)
        without = [name for name, one in zip(parameters, gradients, strict=True) if one is None]
        if without:
            more = f" and {len(without) - 3} more" if len(without) > 3 else ""
            yield diagnoses.NO_GRADIENT.found(f"no gradient for {', '.join(without[:3])}{more}")
    if total.grad_fn is not None:
        yield from _through_time(total, ran)


def _through_time(total: Tensor, ran: list[Ran]) -> Iterator[Advice]:
    """Gradients by the states, that vanish or explode from the last step to the first."""
    fields = [field for one in ran for state in one.states for field in state]
    if not fields or not any(field.requires_grad for field in fields):
        return
    wanted = [field for field in fields if field.requires_grad]
    found = dict(zip(map(id, wanted), torch.autograd.grad(total, wanted, allow_unused=True), strict=True))
    for one in ran:
        every = [max(_norm(found.get(id(field))) for field in state) for state in one.states]
        while every and every[-1] == 0:  # steps behind the last that the loss looks at
            every.pop()
        if len(every) > _LONG:
            yield from _course(torch.tensor(every), one.label)


def _course(norms: Tensor, label: str) -> Iterator[Advice]:
    """Of the gradients by one layer's states, the first step first."""
    end, largest, steps = float(norms[-3:].max()), float(norms.max()), len(norms) - 1
    if not largest < _GROWN * end:  # nor is what is not finite
        yield diagnoses.EXPLODING.found(
            f"the loss's gradient by the states of {label} grows {largest / end:.0e} times on its way back through "
            f"{steps} steps"
        )
        return
    reached = int((norms >= _COUNTS * largest).sum())
    if reached < _MANY * len(norms):
        yield diagnoses.VANISHING.found(
            f"of the loss's gradient by the states of {label} nothing that counts ({_COUNTS:g} of its largest) is left "
            f"beyond {reached} of {steps} steps"
        )


def _norm(gradient: Tensor | None) -> float:
    return 0.0 if gradient is None else float(gradient.norm())


def _loss_of(output: Any, target: Any, loss: Callable[..., Tensor] | None) -> Tensor:
    """The loss; without one the usual of the target, without that a projection."""
    if loss is not None and not _is_of_torch(loss):
        return loss(output) if target is None else loss(output, target)
    if target is None and loss is None:
        return _projection(output)
    scores = next(tensors_in(output), None)
    if scores is None:
        raise ConfigError(f"doctor: expected a module that gives a tensor, or one first, got {type(output).__name__}")
    if target is None:
        raise ConfigError("doctor: expected a target beside the loss")
    if loss is None:
        whole = isinstance(target, Tensor) and not target.is_floating_point()
        loss = nn.CrossEntropyLoss() if whole else nn.MSELoss()
    classes = isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) and isinstance(target, Tensor)
    if classes and scores.dim() > 2 and scores.shape[:-1] == target.shape:
        scores, target = scores.flatten(0, -2), target.flatten()
    return loss(scores, target)


def _is_of_torch(loss: Callable[..., Tensor]) -> bool:
    return isinstance(loss, nn.Module) and type(loss).__module__ == nn.CrossEntropyLoss.__module__


def _projection(output: Any) -> Tensor:
    """A sum of all that comes out, with random signs: nothing cancels out, whatever it is."""
    numbers = [tensor for tensor in tensors_in(output) if tensor.is_floating_point()]
    total = torch.zeros(())
    for tensor in numbers:
        total = total.to(tensor.device) + (tensor * (torch.rand_like(tensor) + 0.5)).sum()
    return total


class _LossInputs(TorchFunctionMode):
    """Looks at what losses are given that take a softmax or a sigmoid themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Advice] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See torch."""
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        given = args[0] if args else kwargs.get("input")
        if name == "cross_entropy" and isinstance(given, Tensor) and _are_probabilities(given):
            self.found.append(
                diagnoses.SOFTMAX_TWICE.found("cross_entropy is given probabilities, which sum to 1 over the classes")
            )
        elif name == "binary_cross_entropy_with_logits" and isinstance(given, Tensor) and _is_of_sigmoid(given):
            self.found.append(
                diagnoses.SIGMOID_TWICE.found("binary_cross_entropy_with_logits is given what a sigmoid has made")
            )
        return func(*args, **kwargs)


def _are_probabilities(scores: Tensor) -> bool:
    classes = 1 if scores.dim() > 1 else 0
    scores = scores.detach()
    if not scores.is_floating_point() or scores.dim() == 0 or scores.shape[classes] < 2 or not scores.numel():
        return False
    sums = scores.sum(classes)
    return bool((scores >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)


def _is_of_sigmoid(scores: Tensor) -> bool:
    return scores.grad_fn is not None and scores.grad_fn.name().startswith("Sigmoid")


def _shown(advice: Advice) -> str:
    said, *more = advice.lines()
    wrapped = [textwrap.wrap(f"{advice.name}: {said}", 100), *(textwrap.wrap(line, 100) for line in more)]
    first, *rest = [line for lines in wrapped for line in lines]
    return "\n  ".join([first, *rest])
