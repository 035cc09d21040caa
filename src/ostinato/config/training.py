"""The training loop's options, the same for every task."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from ostinato.config.checks import above_zero, at_least, share, valid_seed, valid_threads
from ostinato.config.options import options
from ostinato.core.errors import ConfigError

#: Optimisers, and what each is called in torch.optim: a line here is all that one more takes.
OPTIMIZERS: Mapping[str, str] = MappingProxyType({"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"})

if TYPE_CHECKING:
    Optimizer = str
else:
    Optimizer = Literal[tuple(OPTIMIZERS)]

#: Most optimiser steps between validations where --valid-every does not say.
VALID_EVERY = 2_000

#: Passes over the data where neither --epochs nor --time-limit says how long.
DEFAULT_EPOCHS = 20


@options
class TrainingOptions:
    """How long, how fast, and from which random numbers."""

    epochs: int | None = None
    """Passes over the data. By default 20. With --time-limit alone, as many as there is time for."""

    time_limit: float | None = None
    """Seconds from the start of the command, reading and validation included; then a last validation, and the end."""

    batch: int | None = None
    """Sequences side by side, over all processes together. By default 64; of little data fewer, down to 8, so
    that an epoch has 50 steps."""

    accumulate: int = 1
    """Batches that a step of the optimiser goes by, one after the other: so many times --batch in the memory of one."""

    steps: int = 100
    """Time steps through which gradients flow (truncated BPTT): the text is read in pieces of so many."""

    optimizer: Optimizer = "adamw"
    """How a gradient becomes a step."""

    lr: float = 0.004
    """Learning rate: the highest that the schedule reaches."""

    schedule: Literal["constant", "cosine", "slanted", "plateau"] = "cosine"
    """Course of the learning rate: the same throughout; a rise, then half a cosine down to a hundredth; a rise, then a
    straight fall (a slanted triangle); or divided by --lr-divide whenever validation has not improved."""

    warmup: float | None = None
    """Cosine and slanted: share of the training spent rising to --lr. By default 0.02 and 0.1."""

    lr_divide: float = 4.0
    """Plateau: what the learning rate is divided by."""

    weight_decay: float = 0.0
    """AdamW's decoupled decay, the others' L2 penalty; of weights, not of biases."""

    average: float = 0.0
    """Validate and keep an average of the weights over about this share of the steps so far: 0.1 of them make it less
    noisy than the weights of any one step. 0 means the weights as they are."""

    average_after: int = 0
    """Begin to average only once a validation is worse than the best of all but this many before it (NT-ASGD; Merity et
    al. 2018, who take 5), over all steps from there on, or the share of them that --average says."""

    clip: float = 1.0
    """Largest global norm of the gradient; a longer one is scaled down to it. 0 means no clipping."""

    patience: int | None = None
    """Stop after this many validations without improvement; 0 means never. By default never."""

    valid_every: int = 0
    """Optimiser steps between validations. 0 means at the end of each epoch, or every 2,000 where it is longer."""

    valid_times: int = 0
    """With --time-limit: validate at least so many times in it, as long as that takes no more than a tenth of the time;
    patience and schedule go by the others alone. ostinato search asks for ten."""

    log_every: int = 0
    """Optimiser steps between lines of metrics.jsonl. 0 means 20 lines an epoch."""

    save_every: float = 30.0
    """Seconds between checkpoints; one is also written at each validation."""

    seed: int = 1
    """Of every random number: weights, dropout, order."""

    quiet_advice: bool = False
    """Say nothing of what goes wrong, such as a validation loss that rises, and look for none of it. By default each is
    said once, with what to do, and written to metrics.jsonl."""

    precision: Literal["auto", "highest", "high", "medium"] = "auto"
    """Of matrix products, as torch.set_float32_matmul_precision. auto is medium (bfloat16) where the processor
    multiplies that and the task's figures are known to be the same, else highest (float32); validation and tests are
    float32 then."""

    threads: int = 0
    """Threads a process computes with. 0 means torch's own choice."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """What trains: the processor, or a GPU of NVIDIA's (of AMD's by ROCm) or Apple's. auto is a GPU where torch can use
    one."""

    devices: int = 1
    """Processes that train together, each on its slice of the batch."""

    lost_after: float = 120.0
    """Seconds without a sign of life from a process that torchrun or Slurm has started, or from its machine, after
    which the others stop; and how long they wait for each other when they begin."""

    def __post_init__(self) -> None:
        above_zero(steps=self.steps, lr_divide=self.lr_divide, devices=self.devices, accumulate=self.accumulate)
        at_least(lost_after=(self.lost_after, 1))
        above_zero(lr=self.lr)  # None where a task chooses one by its data
        at_least(clip=(self.clip, 0), patience=(self.patience, 0), valid_every=(self.valid_every, 0))
        at_least(
            valid_times=(self.valid_times, 0), log_every=(self.log_every, 0), average_after=(self.average_after, 0)
        )
        at_least(weight_decay=(self.weight_decay, 0), save_every=(self.save_every, 0))
        valid_threads(threads=self.threads, devices=self.devices)
        if (self.lr or 0) > 1e30:
            raise ConfigError(f"--lr: expected at most 1e30, got {self.lr}")  # Adam's arithmetic would overflow
        valid_seed(self.seed)
        share(warmup=self.warmup or 0.0, average=self.average)
        above_zero(epochs=self.epochs, time_limit=self.time_limit, batch=self.batch)
        if self.batch is not None and self.batch % self.devices:
            raise ConfigError(
                f"--batch {self.batch} is shared out over --devices {self.devices}: "
                f"expected a multiple of {self.devices}"
            )

    def batch_for(self, tokens: int) -> int:
        """Sequences of a step, for a text of so many tokens."""
        return self.batch_of(tokens // self.steps)

    def batch_of(self, examples: int, most: int = 64) -> int:
        """Sequences of a step: of as many batches as it goes by, each of `batch`, or of its default for so many
        examples of their own: `most` or fewer, a multiple of `devices`."""
        if self.batch is not None:
            return self.batch * self.accumulate
        fitting = max(8, min(most, examples // 50))
        return -(-fitting // self.devices) * self.devices * self.accumulate

    @property
    def last_epoch(self) -> int | None:
        """Epochs after which training ends; None where only the clock ends it."""
        return self.last_epoch_or(DEFAULT_EPOCHS)

    def last_epoch_or(self, default: int) -> int | None:
        """Epochs after which training ends, `default` where no option says; None where only the clock ends it."""
        return default if self.epochs is None and self.time_limit is None else self.epochs
