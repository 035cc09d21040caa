"""Ostinato itself: the trainer's own step, `evaluate` and `generate` without the files around them."""

import copy
import dataclasses
from functools import partial
from tempfile import TemporaryDirectory

import torch
from torch import nn

from ostinato.api.compute import compute_settings
from ostinato.bench.language.problem import WRITTEN, Problem
from ostinato.bench.problem import Results
from ostinato.checkpoint import RunFolder
from ostinato.tasks import find
from ostinato.tasks.lm.figures import mean_loss
from ostinato.tasks.lm.options import SamplingOptions
from ostinato.tasks.lm.sampling import sample
from ostinato.training import Clock, Trainer


class OurTraining:
    """`Trainer.step` on piece after piece of what `ostinato train lm --preset` would train.

    Args:
        problem: what to train.
        precision: of matrix products.
        clip: in place of the preset's.
    """

    def __init__(self, problem: Problem, precision: str, *, clip: float | None = None) -> None:
        self._problem, self._precision = problem, precision
        self.within = partial(compute_settings, 0, precision)
        training = problem.options.training
        training = dataclasses.replace(training, clip=training.clip if clip is None else clip)
        self._job = find("lm").job(problem.options, copy.deepcopy(problem.model), problem.prepared)
        self._folder = TemporaryDirectory(prefix="ostinato-bench-")
        self._trainer = Trainer(self._job, RunFolder(self._folder.name), training, Clock())
        self._trainer.model.train()

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        return self._job.model

    def run(self) -> object:
        """A training step; after the last piece the next epoch begins, as `Trainer.fit` has it."""
        trainer, at = self._trainer, self._trainer.position
        trainer.step(self._job.batches.piece(at.piece, at.epoch))
        if at.piece == len(self._job.batches):
            at.epoch, at.piece = at.epoch + 1, 0
            trainer.kept[0].reset()
        return at

    def results(self) -> Results:
        """Loss and gradients of the first piece, without dropout and before clipping."""
        side = OurTraining(self._problem, self._precision, clip=0.0)
        model, interval = side._job.model.eval(), side._trainer.position.interval
        with self.within():
            side.run()
        gradients = {f"grad {name}": p.grad.to_dense() for name, p in model.named_parameters() if p.grad is not None}
        return {"output": torch.tensor(interval.loss / interval.tokens, dtype=torch.float64), **gradients}


class OurEvaluation:
    """The loss of one stream, as `ostinato evaluate` computes it."""

    def __init__(self, problem: Problem, precision: str) -> None:
        self._problem, self.within = problem, partial(compute_settings, 0, precision)
        self._model = copy.deepcopy(problem.model).eval()

    def run(self) -> float:
        """Mean loss of one stream."""
        return mean_loss(self._model, self._problem.one_stream)

    def results(self) -> Results:
        """The mean loss."""
        with self.within():
            return {"output": torch.tensor(self.run(), dtype=torch.float64)}


class OurGeneration:
    """Token after token, as `ostinato generate` writes."""

    def __init__(self, problem: Problem, precision: str) -> None:
        self._problem, self.within = problem, partial(compute_settings, 0, precision)
        self._model = copy.deepcopy(problem.model).eval()

    def run(self) -> object:
        """Write on, drawing from the softmax."""
        return self._write(SamplingOptions(seed=1))

    def results(self) -> Results:
        """The most probable tokens, one after the other."""
        with self.within():
            return {"output": torch.tensor(self._write(SamplingOptions(greedy=True)))}

    def _write(self, options: SamplingOptions) -> list[int]:
        return list(sample(self._model, self._problem.prompt, WRITTEN, options))
