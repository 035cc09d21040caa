"""The learning-rate range test: a few steps at rates that grow from far too low to far too high.

Smith (2017), Cyclical learning rates for training neural networks, arXiv:1506.01186, section 3.3.
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ostinato.checkpoint import RunFolder
from ostinato.config.training import TrainingOptions
from ostinato.training.clock import Clock, Interrupt
from ostinato.training.job import Job
from ostinato.training.loop import Trainer
from ostinato.training.rates import BACK, Rates, Tried

#: Steps of the test.
STEPS = 100

#: Lowest and highest rate by optimiser. A step of SGD is as long as the gradient, which is clipped; one of the others
#: about as long as the rate, whatever the gradient.
RANGES: Mapping[str, tuple[float, float]] = MappingProxyType({"sgd": (1e-3, 1e3)})
_USUAL = (1e-5, 10.0)

#: What the rate of the lowest loss is divided by. Steps of SGD become shorter as gradients do: it bears the whole rate.
BACKS: Mapping[str, float] = MappingProxyType({"sgd": 1.0})


def range_test(
    job: Job,
    options: TrainingOptions,
    *,
    steps: int = STEPS,
    clock: Clock | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Rates:
    """Train for some steps, each at a higher rate than the one before, and put everything back.

    A step is the one that a training makes: as many batches as it accumulates, clipped, by the optimiser, from a state
    that is carried on where the task does so. The losses are those of the batches, before each step.

    Args:
        job: what is trained. Its model's weights, buffers and mode are afterwards what they were, and so are torch's
            random numbers.
        options: how it is trained; its rate and schedule have no say.
        steps: of the test, at most; it stops where the loss explodes.
        clock: its limit ends the test too.
        progress: told how far it is.

    Returns:
        The rates, with the loss at each.

    Raises:
        KeyboardInterrupt: Ctrl-C, once everything is put back.
    """
    low, high = RANGES.get(options.optimizer, _USUAL)
    clock = clock or Clock()
    found: list[Tried] = []
    with _put_back(job.model), tempfile.TemporaryDirectory() as nowhere, Interrupt() as interrupt:
        # the folder is looked for and not found; nothing is written
        trainer = Trainer(job, RunFolder(str(Path(nowhere) / "run")), replace(options, average=0.0), clock)
        trainer.model.train()
        for step in range(steps):
            if interrupt.requested:
                raise KeyboardInterrupt
            if clock.limit is not None and clock.elapsed() > clock.limit:
                break
            rate = low * (high / low) ** (step / (steps - 1))
            loss = _step(trainer, rate, step)
            found.append(Tried(rate, loss))
            if not math.isfinite(loss) or Rates(found).exploded:
                break
            if progress is not None:
                progress(step + 1, steps)
    if progress is not None:
        progress(steps, steps)
    return Rates(found, BACKS.get(options.optimizer, BACK))


def _step(trainer: Trainer, rate: float, step: int) -> float:
    """A step at a rate; the mean loss before it, infinite where no step can be made."""
    epoch, piece = divmod(step, len(trainer.job.batches))
    if piece == 0:
        for kept in trainer.kept:
            kept.reset()
    parts = [part.piece(piece, epoch) for part in trainer.parts]
    loss, tokens, gradients, norm = trainer.gradients(*parts)
    if not (math.isfinite(norm) and math.isfinite(loss)):
        return math.inf
    trainer.update(rate * parts[0].lr_factor, gradients, norm)
    return loss / max(tokens, 1)


@contextmanager
def _put_back(model: nn.Module) -> Iterator[None]:
    """Weights, buffers, gradients, the mode and random numbers are afterwards what they were."""
    tensors: dict[Tensor, Tensor] = {
        tensor: tensor.detach().clone() for tensor in (*model.parameters(), *model.buffers())
    }
    wanted = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    training = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, before in tensors.items():
                    tensor.copy_(before)
            for parameter, requires_grad, grad in wanted:
                parameter.requires_grad_(requires_grad)
                parameter.grad = grad
            for module, mode in training:
                module.training = mode
