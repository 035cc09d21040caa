"""The loop with examples of their own instead of streams: nothing is carried, and a figure decides what is best."""

import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from ostinato.checkpoint import RunFolder
from ostinato.config.training import TrainingOptions
from ostinato.core.batch import Batch
from ostinato.core.errors import RunFolderError, TrainingError
from ostinato.data.batching.buckets import Buckets, pad_ids
from ostinato.training import Clock, Job, MetricsFile, Trainer
from tests.support import metrics

DRAW = np.random.default_rng(3)
ROWS = [DRAW.integers(0, 9, DRAW.integers(1, 7)) for _ in range(23)]
LABELS = np.array([int(row.sum() % 2) for row in ROWS])


class Mean(nn.Module):
    """Mean of the embeddings within the lengths, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.embedding, self.out, self.drop = nn.Embedding(9, 4), nn.Linear(4, 2), nn.Dropout(0.3)

    def forward(self, inputs, lengths):
        valid = torch.arange(len(inputs))[:, None] < lengths
        return self.out(self.drop((self.embedding(inputs) * valid[..., None]).sum(0) / lengths[:, None]))


def collate(rows):
    ids, lengths = pad_ids([ROWS[row] for row in rows])
    return Batch(ids, torch.tensor(LABELS[rows]), lengths, counted=len(rows))


@pytest.fixture
def make(tmp_path):
    def trainer(
        name="run",
        *,
        validate=lambda model: 1.0,
        best="loss",
        higher=False,
        epochs=3,
        model=None,
        by_clock=0,
        **options,
    ):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir(exist_ok=True)
        options = TrainingOptions(epochs=epochs, lr=0.1, optimizer="sgd", schedule="constant", log_every=2, **options)
        torch.manual_seed(options.seed)
        model = model or Mean()
        lengths = [len(row) for row in ROWS]
        job = Job(
            model,
            lambda output, batch: F.cross_entropy(output, batch.targets),
            Buckets(lengths, 5, collate, seed=options.seed),
            validate,
            best=best,
            higher=higher,
            unit="examples",
            epochs=2,
            patience=by_clock,
        )
        return Trainer(job, folder, options, Clock(options.time_limit), [MetricsFile()])

    return trainer


def test_every_epoch_has_its_own_order_and_every_example(make):
    trainer = make()
    seen = []
    trainer.job.model.register_forward_pre_hook(lambda _, args: seen.append(args[0].shape[1]))
    position = trainer.fit()
    assert (position.step, position.tokens, sum(seen)) == (15, 69, 69)
    lines = metrics(trainer.folder.path, with_times=True)
    assert [line["examples"] for line in lines if "examples_per_second" in line][-1] == sum(seen[:14])
    assert not any("tokens" in line or "perplexity" in line for line in lines)


def test_a_step_by_hand(make):
    trainer = make(epochs=1, clip=0)
    trainer.job.model.eval()
    other = Mean().eval()
    other.load_state_dict(trainer.job.model.state_dict())
    batch = trainer.job.batches.piece(0, 0)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    F.cross_entropy(other(batch.inputs, batch.lengths), batch.targets).backward()
    optimizer.step()
    trainer.step(batch)
    for one, two in zip(trainer.job.model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("steps", [1, 4, 5, 11])
def test_stopped_and_resumed_is_the_same_run(make, steps):
    reference = make("reference")
    reference.fit()
    stopped = make("stopped", save_every=0)
    calls = itertools.count(1)

    class StoppedError(Exception):
        pass

    def stop(*_):
        if next(calls) > steps:
            raise StoppedError

    stopped.job.model.register_forward_pre_hook(stop)
    with pytest.raises(StoppedError):
        stopped.fit()
    make("stopped").fit()
    assert (reference.folder.path / "model.safetensors").read_bytes() == (
        stopped.folder.path / "model.safetensors"
    ).read_bytes()
    assert metrics(reference.folder.path) == metrics(stopped.folder.path)


def scripted(*figures):
    left = iter(figures)
    return lambda model: dict(zip(("loss", "accuracy"), next(left), strict=True))


def test_the_best_is_the_highest_accuracy_then_the_lowest_loss(make):
    figures = [(0.9, 0.5), (0.8, 0.7), (0.7, 0.6), (0.75, 0.7), (0.76, 0.7)]
    trainer = make(validate=scripted(*figures), best="accuracy", higher=True, epochs=5)
    position = trainer.fit()
    assert (position.best, position.best_step, position.since_best) == (0.7, 20, 1)
    assert position.best_figures == {"loss": 0.75, "accuracy": 0.7}
    lines = [line for line in metrics(trainer.folder.path) if "best" in line]
    assert [line["best"] for line in lines] == [True, True, False, True, False]
    assert [(line["valid_loss"], line["valid_accuracy"]) for line in lines] == figures
    assert make(validate=scripted(), best="accuracy", higher=True, epochs=5).position == position  # as saved


def test_where_validation_says_too_little_the_last_weights_are_kept(make):
    trainer = make(validate=scripted((0.9, 0.5), (0.8, 0.7), (1.7, 0.1)), best=None)
    position = trainer.fit()
    assert (position.best, position.best_step, position.best_figures["accuracy"]) == (1.7, 15, 0.1)
    stored = torch.cat([tensor.flatten() for tensor in load_file(trainer.folder.weights).values()])
    last = trainer.job.model.state_dict()
    assert torch.equal(stored, torch.cat([last[name].flatten() for name in load_file(trainer.folder.weights)]))


def test_patience_waits_for_the_average(make):
    """It begins once three validations are worse than the first, and then has two more."""
    losses = iter(range(1, 10))
    trainer = make(validate=lambda model: float(next(losses)), patience=2, average_after=3, epochs=9)
    assert trainer.fit().epoch == 7


def test_patience_does_not_wait_for_an_average_for_ever(make):
    """Figures that stay the same are never worse than before, which is what an average waits for."""
    figures = {"loss": 1.0, "accuracy": 1.0}
    trainer = make(validate=lambda m: figures, best="accuracy", higher=True, patience=2, average_after=1, epochs=20)
    assert trainer.fit().epoch == 1 + 2 + 1


@pytest.mark.parametrize(
    ("options", "epochs"),
    [
        ({"epochs": None, "time_limit": 600}, 1 + 3),  # the clock alone would end it
        ({"epochs": 7}, 7),
        ({"epochs": 7, "time_limit": 600}, 7),
        ({"epochs": None, "time_limit": 600, "patience": 5}, 1 + 5),
        ({"epochs": 7, "patience": 5}, 1 + 5),
    ],
)
def test_a_jobs_own_patience_is_for_where_the_clock_alone_would_end_it(make, options, epochs):
    assert make(by_clock=3, **options).fit().epoch == epochs


def test_another_model_does_not_go_on(make):
    make().fit()
    model = Mean()
    model.more = nn.Linear(4, 2)
    with pytest.raises(RunFolderError, match=r"of another training: KeyError: .*more\.bias"):
        make(model=model)


def test_where_validation_says_too_little_patience_goes_by_the_loss(make):
    losses = iter([3.0, 2.0, 2.5, 2.4, 1.0, 0.5])
    trainer = make(validate=lambda model: {"loss": next(losses)}, best=None, patience=2, epochs=6)
    assert trainer.fit().epoch == 4


def test_where_validation_says_too_little_an_average_goes_by_the_loss(make):
    losses = iter((1.0, 0.8, 0.6, 0.4, 0.7, 0.7))
    trainer = make(
        validate=lambda model: {"loss": next(losses), "accuracy": 0.5},
        best=None,
        higher=True,
        epochs=6,
        average_after=1,
    )
    trainer.fit()
    steps = len(trainer.job.batches)
    assert trainer.average.began == 5 * steps, "the fifth is the first that is worse than the best but the last"


def test_a_figure_that_is_no_number_stops(make):
    with pytest.raises(TrainingError, match="after step 5: expected a finite accuracy, got nan"):
        make(validate=scripted((0.9, float("nan"))), best="accuracy", higher=True).fit()


def test_the_tasks_own_epochs_where_no_option_says(make):
    assert make(epochs=None).last_epoch == 2
    assert make("other", epochs=None, time_limit=5.0).last_epoch is None
