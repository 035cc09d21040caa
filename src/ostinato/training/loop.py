"""The one training loop: batches through model and loss to the optimiser, validated, clipped, saved, resumable.

Everything that decides how training goes on is in `Position` and the tensors of `Trainer.save`; a run that is killed
and resumed therefore ends in the same weights, to the last bit, as one that was not.
"""

import math
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor, nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Interval, Position
from ostinato.checkpoint.resume_point import by_group, load_model, model_tensors
from ostinato.config.training import VALID_EVERY, TrainingOptions
from ostinato.core.batch import Batch
from ostinato.core.errors import RunFolderError, TrainingError
from ostinato.core.kept_state import KeptState
from ostinato.core.legend import State
from ostinato.optim import gradients_of, make_average, make_optimizer, make_schedule, take_step, total_norm
from ostinato.training import owned
from ostinato.training.clock import Clock, Interrupt, Reserve
from ostinato.training.events import Advised, Begun, Ended, Event, Moved, Observer, Saved, Trained, Validated, Where
from ostinato.training.failing import Explaining, NotFinite
from ostinato.training.job import Job
from ostinato.training.processes import ALONE, Processes, Waiting


class Trainer:
    """Runs a job to its end, from wherever its run folder says it stands.

    Args:
        job: what to train.
        folder: where to save, and to go on from.
        options: how.
        clock: what `time_limit` is measured by.
        observers: told of everything that happens, in the first process alone.
        processes: those that train together, this one among them.
        explain: says why a loss is not finite, in the first process, where there is somebody who does.
    """

    def __init__(
        self,
        job: Job,
        folder: RunFolder,
        options: TrainingOptions,
        clock: Clock,
        observers: Iterable[Observer] = (),
        processes: Processes = ALONE,
        explain: Explaining | None = None,
    ) -> None:
        self.explain = explain
        self.job, self.folder, self.options, self.clock, self.processes = job, folder, options, clock, processes
        self.observers = tuple(observers) if processes.first else ()
        self.lr = job.lr if options.lr is None else options.lr
        self.schedule = make_schedule(options.schedule, warmup=options.warmup, lr_divide=options.lr_divide)
        self.optimizer = make_optimizer(
            options.optimizer,
            job.model,
            lr=self.lr,
            weight_decay=options.weight_decay,
            shares=job.layers.shares if job.layers else None,
        )
        self.waiting = Waiting()
        self.last: list[tuple[Batch, State | None]] = []  # the parts of the last step, with the state each began with
        self.model = processes.share(job.model, self.waiting)
        processes.divide(self.optimizer)
        self.parameters = list(job.model.parameters())
        self.device = self.parameters[0].device
        self.average = make_average(self.parameters, options.average, options.average_after)
        self.position = Position()
        first, parts = processes.rank * options.accumulate, processes.size * options.accumulate
        alone = options.accumulate == 1  # then the job's batches are this process's
        self.parts = [job.batches if alone else job.batches.part(first + k, parts) for k in range(options.accumulate)]
        self.kept = [KeptState() for _ in self.parts]
        if processes.agree(folder.resume_point.exists())[0]:
            self.take_back(*processes.from_first(folder.resume_point.checked))
        self.last_epoch = options.last_epoch_or(job.epochs)
        by_clock = job.patience if self.last_epoch is None else 0
        self.patience = by_clock if options.patience is None else options.patience
        most = VALID_EVERY if len(job.batches) > VALID_EVERY else 0
        self.valid_every = options.valid_every or job.valid_every or most
        self.log_every = options.log_every or max(1, len(job.batches) // 20)
        self.first_progress, self.first_elapsed = self.position.progress, clock.elapsed()
        self.saved_at = time.monotonic()
        self.looked_at = self.first_elapsed  # seconds of the clock at the last validation
        self.reserve = Reserve(None if clock.limit is None else clock.limit - self.first_elapsed)
        # of an interval that an earlier command began, its tokens are no part of this one's speed
        self.interval_began, self.tokens_before = time.monotonic(), self.position.interval.tokens

    def fit(self) -> Position:
        """Train until the epochs, the time, or the patience are used up; the best weights are then in the folder.

        Raises:
            TrainingError: a loss or gradient that is not finite.
            KeyboardInterrupt: Ctrl-C, once the checkpoint is written.
        """
        self.begin()
        how: Literal["finished", "interrupted", "failed"] = "failed"
        try:
            self.run()
            how = "finished"
        except KeyboardInterrupt:
            how = "interrupted"
            raise
        finally:
            self.tell(Ended(self.where, how))
        return self.position

    def begin(self) -> None:
        """Tell observers that the training begins, or goes on."""
        job = self.job
        self.tell(Begun(str(self.folder.path), self.where, job.about, self.last_epoch, job.unit, job.measured))

    def run(self) -> None:
        """The same, step by step."""
        self.model.train()
        at = self.position
        if at.finished and 0 < self.patience <= at.since_best:
            at.since_best = 0  # patience had run out
        at.finished = False  # who resumes a finished run wants more of it
        replaces, exists = self.processes.agree(self.folder.replaces, self.folder.resume_point.exists())
        if not exists:
            self.save()  # so that there always is a last good version
            if not replaces:
                self.settle()
        (self.first_elapsed,) = self.processes.agree(self.first_elapsed)
        began = self.clock.elapsed() - self.position.seconds
        with Interrupt() as interrupt:
            while not self.position.finished:
                elapsed = self.clock.elapsed()
                agreed = partial(
                    self.processes.agree,
                    *(elapsed, self.reserved(), self.look_due(elapsed)),
                    time.monotonic() - self.saved_at > self.options.save_every,
                    wishes=(interrupt.requested,),  # of any: the machine of one may be about to go
                )
                elapsed, reserved, look, save_now, stop = self.waiting.within(agreed)
                self.position.seconds = elapsed - began
                if stop:
                    self.save()
                    raise KeyboardInterrupt
                if self.at_end(elapsed, reserved):
                    self.settle()
                    self.validate(last=True)
                    break
                self.step(*(part.piece(self.position.piece, self.position.epoch) for part in self.parts))
                if replaces:  # now that a step has shown that there is room for it
                    self.save()
                    self.settle()
                    replaces = False
                if self.position.piece == len(self.job.batches):
                    self.position.epoch, self.position.piece = self.position.epoch + 1, 0
                    for kept in self.kept:
                        kept.reset()
                if self.validation_due():
                    self.validate()
                elif look:
                    self.validate(by_clock=True)
                elif save_now:
                    self.save()

    def step(self, *parts: Batch) -> None:
        """One batch, or several that are parts of one: forward, backward through time, clip, update."""
        rate, began = self.lr * self.schedule.factor(self.position.progress), time.monotonic()
        self.last = [(batch, kept.state) for batch, kept in zip(parts, self.kept, strict=True)]
        loss, tokens, gradients, norm = self.gradients(*parts)
        # of several processes all have the norm, but each a loss of its own: they must stop together
        if not (math.isfinite(norm) and (self.processes.size > 1 or math.isfinite(loss))):
            got = f"loss {loss / max(tokens, 1):g} with gradient norm {norm:g} at learning rate {rate:g}"
            self.stop_not_finite(
                f"epoch {self.position.epoch + 1}, step {self.position.step + 1}: expected a finite loss, got {got}"
            )
        clipped = self.update(rate * parts[0].lr_factor, gradients, norm)

        at = self.position
        at.piece, at.step = at.piece + 1, at.step + 1
        if self.average is not None:
            self.average.update(at.step)
        before = at.tokens
        at.tokens += tokens * self.processes.size if parts[0].total is None else parts[0].total
        self.reserve.stepped(time.monotonic() - began, at.tokens - before)
        at.interval.add(loss, tokens, norm, clipped)
        if at.step % self.log_every == 0:
            self.end_interval(rate)

    def gradients(self, *parts: Batch) -> tuple[float, int, list[Tensor], float]:
        """Forward, and backward through time: the loss, summed over the tokens, these, the gradients and their norm."""
        held_back = self.hold_back()
        for parameter in self.parameters:
            parameter.grad = None
        loss, tokens = 0.0, sum(batch.tokens for batch in parts)
        for batch, kept in zip(parts, self.kept, strict=True):
            with nullcontext() if batch is parts[-1] else self.processes.by_itself(self.model):
                loss += self.backward(batch, kept, 1 / len(parts)) * batch.tokens
        norm = self.processes.average(self.waiting)
        for parameter in held_back:
            parameter.grad = None
        gradients = gradients_of(p for group in self.optimizer.param_groups for p in group["params"])
        return loss, tokens, gradients, total_norm(gradients) if norm is None else norm

    def update(self, rate: float, gradients: list[Tensor], norm: float) -> bool:
        """Clip, and update the weights at a learning rate; whether it was clipped."""
        clipped = 0 < self.options.clip < norm
        take_step(self.optimizer, rate, gradients, self.options.clip / norm if clipped else 1.0)
        self.processes.spread(self.waiting)
        return clipped

    def hold_back(self) -> list[nn.Parameter]:
        """The parameters that do not learn yet. They take no gradients, except where torch's reduction waits for one of
        each parameter."""
        if self.job.layers is None:
            return []
        waiting = self.job.layers.waiting(self.position.progress)
        if self.model is self.job.model:
            held = set(map(id, waiting))
            for parameter in self.parameters:
                parameter.requires_grad_(id(parameter) not in held)
        return waiting

    def backward(self, batch: Batch, kept: KeptState, weight: float) -> float:
        """Forward, and backward through time; a carried state goes on to the next batch, detached. The mean loss, whose
        gradient counts by `weight`."""
        if batch.anew:
            kept.reset()
        carried = {"state": kept.state} if self.job.batches.carried else {}
        output = self.model(batch.inputs, **batch.arguments(), **carried)
        loss = self.job.loss(output, batch)
        objective = loss if self.job.penalty is None else loss + self.job.penalty(output)
        weight *= batch.share
        self.waiting.backward(lambda: torch.autograd.backward(objective if weight == 1 else objective * weight))
        if carried:
            kept.keep(output.state)
        return loss.item()

    def at_end(self, elapsed: float, reserved: float) -> bool:
        """Whether to stop; also notes the progress, which the learning rate follows. Seconds of the first process."""
        at, limit, last = self.position, self.clock.limit, self.last_epoch
        left = math.inf if limit is None else limit - elapsed - reserved
        if last is not None:
            at.progress = at.step / max(1, last * len(self.job.batches))
        else:
            spent = elapsed - self.first_elapsed
            at.progress = self.first_progress + (1 - self.first_progress) * spent / max(spent + left, 1e-9)
        # An average that has not begun waits for a lack of progress; of figures that stay the same it would for ever.
        waits = self.options.average_after if self.average is not None and self.average.waiting else 0
        impatient = 0 < self.patience <= at.since_best - waits
        done = last is not None and at.epoch >= last
        return done or left <= 0 or impatient

    def reserved(self) -> float:
        """Seconds to keep for the last validation and for saving."""
        return self.reserve.seconds(self.validated_tokens)

    @property
    def validated_tokens(self) -> float:
        """How many a validation is of."""
        epoch = self.position.tokens / max(1, self.position.step) * len(self.job.batches)
        return self.job.validation_share * epoch

    def look_due(self, elapsed: float) -> bool:
        """Whether it is time to validate, by the clock: so often in the time limit, and in a tenth of it at most."""
        limit, times = self.clock.limit, self.options.valid_times
        if limit is None or not times or not self.position.step:
            return False
        between = max((limit - self.first_elapsed) / times, 10 * self.reserve.cost(self.validated_tokens))
        return elapsed - self.looked_at >= between

    def validation_due(self) -> bool:
        """Every `valid_every` steps, or at the end of each epoch."""
        if self.valid_every:
            return self.position.step % self.valid_every == 0
        return self.position.piece == 0

    def validate(self, last: bool = False, by_clock: bool = False) -> None:
        """Measure, keep the weights if they are the best so far, tell the schedule, save. One by the clock is beside
        those that patience, schedule and average count."""
        at, began = self.position, time.monotonic()
        if at.validated_step != at.step:
            with self.average.in_place() if self.average is not None else nullcontext():
                figures = self.measure()
                improved = self.job.improves(figures, at.best_figures)
                if improved and self.processes.first:
                    self.folder.save_weights(self.job.model)
            if improved:
                at.best, at.best_step, at.best_figures = figures[self.job.best or "loss"], at.step, figures
            at.validated_step = at.step
            if not by_clock:
                self.count(figures, improved)
            self.tell(Validated(self.where, figures, improved, improved and self.job.best is not None))
            self.reserve.validated(time.monotonic() - began)
        at.finished, at.planned_epochs = last, self.last_epoch
        self.save()
        self.interval_began += time.monotonic() - began  # validation is no training time
        if self.options.valid_times:
            self.looked_at = self.clock.elapsed()

    def count(self, figures: dict[str, float], improved: bool) -> None:
        """Tell schedule and average of a validation, which patience counts too."""
        at = self.position
        # where the last weights are kept whatever they are worth, patience and schedule go by the loss
        better = improved if self.job.best else at.lowest is None or figures["loss"] < at.lowest
        at.lowest = figures["loss"] if at.lowest is None else min(at.lowest, figures["loss"])
        at.since_best = 0 if better else at.since_best + 1
        self.schedule.validated(better)
        if self.average is not None and self.average.validated(self.job.rank(figures)[0], at.step):
            at.since_best = 0

    def measure(self) -> dict[str, float]:
        """The first process's figures on the validation data, in every process."""
        self.job.model.eval()
        figures = self.processes.from_first(lambda: self.job.figures(self.job.validate(self.job.model)))
        self.job.model.train()
        for name in ("loss", self.job.best or "loss"):
            if not math.isfinite(figures[name]):
                self.stop_not_finite(
                    f"the validation after step {self.position.step}: expected a finite {name}, got {figures[name]:g}",
                    again=lambda: self.job.validate(self.job.model),
                )
        return figures

    def stop_not_finite(self, found: str, again: Callable[[], object] | None = None) -> NoReturn:
        """Stop before anything spoilt is saved; without a best model, the last checkpoint's weights are kept.

        Raises:
            TrainingError: always; says where the last good weights are.
        """
        at, job, advice = self.position, self.job, None
        if self.processes.first and self.explain is not None:
            rate, carried = self.lr * self.schedule.factor(at.progress), job.batches.carried
            step = NotFinite(found, job.model, job.loss, self.last, carried, rate, self.options.clip, again)
            advice = self.explain(step)
        if at.best is None and self.processes.first:
            load_model(job.model, by_group(self.folder.resume_point.checked()[0])["model"])
            self.folder.save_weights(job.model)
        kept = f"The last good weights are in {self.folder.weights}"
        if self.folder.replaces:
            kept = f"The run in {self.folder.settled.path} stays as it was"
        if advice is None:
            raise TrainingError(f"training stopped in {found}. {kept}. Try a lower --lr, or a lower --clip")
        self.tell(Advised(self.where, advice))
        remedy = advice.remedy[:1].upper() + advice.remedy[1:]
        raise TrainingError(f"training stopped in {advice.said}; {advice.meaning}. {kept}. {remedy}; see {advice.page}")

    def end_interval(self, rate: float) -> None:
        """Tell of the steps since the last interval; the loss is the mean over all processes."""
        at, sums, now = self.position, self.position.interval, time.monotonic()
        spent = max(now - self.interval_began, 1e-9)
        # a share of its own time in each process: while the first saves, which it does not count, others wait
        total, tokens, before, waited = self.processes.total(
            sums.loss, sums.tokens, self.tokens_before, self.waiting.taken() / spent
        )
        loss, speed, waited = total / max(tokens, 1), (tokens - before) / spent, waited / self.processes.size
        figures = {"loss": loss} | ({} if self.job.smoothed else self.job.figure_of(loss))
        left = None if self.clock.limit is None else self.clock.limit - self.clock.elapsed()
        norm, clipped = sums.gradient_norm / sums.steps, sums.clipped / sums.steps
        self.tell(
            Trained(self.where, figures, rate, norm, clipped, speed, left, waited if self.processes.size > 1 else None)
        )
        at.interval, self.interval_began, self.tokens_before = Interval(), now, 0

    @property
    def where(self) -> Where:
        """Where the training stands, as observers are told."""
        return Where.of(self.position)

    def tell(self, event: Event) -> None:
        """Let all observers know of something."""
        for observer in self.observers:
            observer(event)

    def save(self) -> None:
        """Write the checkpoint: what every process needs to go on to the last bit.

        Raises:
            TrainingError: weights that are not finite, which must not replace the last good ones.
        """
        if not all(bool(p.isfinite().all()) for p in self.job.model.parameters()):
            self.stop_not_finite(f"epoch {self.position.epoch + 1}, step {self.position.step}: expected finite weights")
        shared = owned.saved(self.kept, self.position.interval, self.processes, self.device)
        gathered = self.processes.gathered(self.optimizer)
        if self.processes.first:
            tensors = {f"model.{name}": field for name, field in model_tensors(self.job.model).items()}
            tensors |= {f"optimizer.{name}": field for name, field in gathered.items()}
            if self.average is not None:
                tensors |= {f"average.{name}": field for name, field in self.average.state_dict().items()}
            self.folder.save_resume_point(tensors | shared, self.position, self.schedule.state_dict())
        self.processes.wait()
        self.saved_at = time.monotonic()
        self.tell(Saved(self.where))

    def settle(self) -> None:
        """The checkpoint is written: put the run where it belongs, in the place of the one that may stand there."""
        if self.processes.first:
            self.folder.settle()
        self.processes.wait()
        if self.folder.settled is not self.folder:
            self.folder = self.folder.settled
            self.tell(Moved(str(self.folder.path)))

    def take_back(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Go on from what `save` wrote.

        Raises:
            RunFolderError: damaged, or of another training.
        """
        try:
            groups = by_group(tensors)
            load_model(self.job.model, groups["model"])
            self.processes.take_back(self.optimizer, groups["optimizer"])
            if self.average is not None:
                self.average.load_state_dict(groups["average"])
            sums = owned.taken_back(groups, self.kept, self.processes, self.device)
            interval = Interval(**values["position"].pop("interval") | sums)
            self.position = Position(**values["position"], interval=interval)
            self.schedule.load_state_dict(values["schedule"])
        except (KeyError, IndexError, TypeError, ValueError, RuntimeError, AttributeError, OverflowError) as error:
            raise RunFolderError(
                f"{self.folder.resume_point.folder}: damaged, or of another training: {type(error).__name__}: {error}"
            ) from None
