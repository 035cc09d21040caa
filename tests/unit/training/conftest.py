import random

import numpy as np
import pytest
import torch

from ostinato.checkpoint import RunFolder
from ostinato.config.training import TrainingOptions
from ostinato.data.batching.streams import Streams
from ostinato.evaluation import perplexity
from ostinato.losses import sequence_cross_entropy
from ostinato.tasks.lm.figures import mean_loss
from ostinato.tasks.lm.model import LanguageModel
from ostinato.training import Clock, Job, MetricsFile, Trainer

V = 11
DRAW = random.Random(7)
IDS = np.array(
    [DRAW.randrange(1, V) for _ in range(2 * 47)], np.uint16
)  #: two streams of 47, pieces of 10: the last has 7
VALID = np.array([DRAW.randrange(1, V) for _ in range(40)], np.uint16)


@pytest.fixture(autouse=True)
def same_numbers():
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def make(tmp_path):
    """A trainer of a tiny language model, in the folder `name`; the job's parts and the clock can be replaced."""

    def trainer(
        name="run",
        *,
        model=None,
        loss=sequence_cross_entropy,
        penalty=None,
        validate=None,
        clock=None,
        random=None,
        noise=None,
        sparse=False,
        streams=None,
        **options,
    ):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir(exist_ok=True)
        options = {
            "batch": 2,
            "steps": 10,
            "epochs": 2,
            "schedule": "constant",
            "optimizer": "sgd",
            "lr": 0.5,
        } | options
        options = TrainingOptions(**options)
        torch.manual_seed(options.seed)
        if model is None:
            model = LanguageModel(V, 4, 6, 2, **(noise or {}))
            model.embedding.sparse = sparse
        valid = Streams(VALID, 2, 10)
        figure = ("perplexity", perplexity)
        validate = validate or (lambda trained: mean_loss(trained, valid))
        batches = Streams(IDS, streams or options.batch, options.steps, random=random)
        job = Job(model, loss, batches, validate, figure, penalty=penalty)
        made = Trainer(job, folder, options, clock or Clock(), [MetricsFile()])
        made.begin()  # for those that call `step` by themselves
        return made

    return trainer


@pytest.fixture
def weights():
    """A copy of a model's weights in one row."""

    def row(model):
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    return row
