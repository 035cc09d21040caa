"""Every number has a range; what lies outside is refused by the option's name as typed."""

import math
from typing import get_args, get_type_hints

import pytest

from ostinato.config.commands import Demo
from ostinato.config.merge import build
from ostinato.config.model import ModelOptions
from ostinato.config.text import TextOptions
from ostinato.config.training import DEFAULT_EPOCHS, TrainingOptions
from ostinato.core.errors import ConfigError
from ostinato.tasks.commands import Evaluate, Generate
from ostinato.tasks.lm.options import AdaptingOptions, RegularisationOptions, TrainLm

NEEDED = {
    TrainLm: {"text": ["a.txt"], "out": "run"},
    Evaluate: {"run": "r", "data": ["a"]},
    Generate: {"run": "r"},
    Demo: {},
}
#: command, option, values at the edge that are right, values that are wrong
RANGES = [
    (TrainLm, "vocab_size", [2], [1, 0, -1]),
    (TrainLm, "layers", [1], [0, -1]),
    (TrainLm, "hidden", [1], [0, -1]),
    (TrainLm, "embed", [1], [0, -1]),
    (TrainLm, "dropout", [0.0, 0.999], [-0.1, 1.0, 1.5, math.nan]),
    (TrainLm, "recurrent_dropout", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "zoneout", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "input_dropout", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "hidden_dropout", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "output_dropout", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "embedding_dropout", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "weight_drop", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "ar", [0.0], [-0.1, math.nan]),
    (TrainLm, "tar", [0.0], [-0.1, math.nan]),
    (TrainLm, "epochs", [1], [0, -1]),
    (TrainLm, "time_limit", [0.001], [0.0, -1.0, math.nan]),
    (TrainLm, "batch", [1], [0, -1]),
    (TrainLm, "steps", [1], [0, -1]),
    (TrainLm, "lr", [1e-12, 1e30], [0.0, -1.0, 1e31, math.inf, math.nan]),
    (TrainLm, "warmup", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "lr_divide", [0.5], [0.0, -1.0, math.nan]),
    (TrainLm, "weight_decay", [0.0], [-0.1, math.nan]),
    (TrainLm, "average", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (TrainLm, "average_after", [0], [-1]),
    (TrainLm, "clip", [0.0], [-0.1, math.nan]),
    (TrainLm, "patience", [0], [-1]),
    (TrainLm, "valid_every", [0], [-1]),
    (TrainLm, "valid_times", [0], [-1]),
    (TrainLm, "log_every", [0], [-1]),
    (TrainLm, "save_every", [0.0], [-0.1, math.nan]),
    (TrainLm, "seed", [0, 2**63 - 1], [-1, 2**63]),
    (TrainLm, "threads", [0], [-1]),
    (TrainLm, "devices", [1], [0, -1]),
    (TrainLm, "accumulate", [1], [0, -1]),
    (TrainLm, "lost_after", [1.0], [0.5, -1.0, math.nan]),
    (Evaluate, "threads", [0], [-1]),
    (Evaluate, "dynamic", [0.0], [-0.1, math.nan]),
    (Evaluate, "dynamic_steps", [1], [0, -1]),
    (Evaluate, "dynamic_decay", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (Evaluate, "cache", [0], [-1]),
    (Evaluate, "cache_theta", [0.0], [-0.1, math.nan]),
    (Evaluate, "cache_lambda", [0.0, 0.999], [-0.1, 1.0, math.nan]),
    (Generate, "length", [0], [-1]),
    (Generate, "samples", [1], [0, -1]),
    (Generate, "temperature", [0.0, 1e-50], [-1.0, math.inf, math.nan]),
    (Generate, "top_k", [0], [-1]),
    (Generate, "top_p", [1e-9, 1.0], [0.0, -0.1, 1.1, math.nan]),
    (Generate, "seed", [0, 2**63 - 1], [-1, 2**63]),
    (Demo, "time_limit", [0.001], [0.0, -1.0]),
]


@pytest.mark.parametrize(
    ("command", "name", "value"), [(command, name, value) for command, name, right, _ in RANGES for value in right]
)
def test_the_edge_is_taken(command, name, value):
    build(command, NEEDED[command] | {name: value}, "test")


@pytest.mark.parametrize(
    ("command", "name", "value"), [(command, name, value) for command, name, _, wrong in RANGES for value in wrong]
)
def test_beyond_it_is_refused_by_name(command, name, value):
    with pytest.raises(ConfigError, match=f"^--{name.replace('_', '-')}: expected .*"):
        build(command, NEEDED[command] | {name: value}, "test")


def test_every_number_is_in_the_table_above():
    tested = {name for _, name, _, _ in RANGES}
    for group in (TextOptions, ModelOptions, RegularisationOptions, TrainingOptions, AdaptingOptions):
        for name, hint in get_type_hints(group).items():
            if {int, float} & {hint, *get_args(hint)}:
                assert name in tested


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resume": True, "overwrite": True}, "--resume goes on with a run and --overwrite deletes it"),
        ({"tied": True, "hidden": 8, "embed": 7}, "--tied shares .* expected --embed 8 .* got 7"),
        ({"random_steps": True, "steps": 19}, "--random-steps draws .* expected --steps of at least 20, got 19"),
        ({"adaptive": (5, 9)}, "--adaptive needs .* frequency: expected --level word, got char"),
        ({"adaptive": (5, 9), "level": "word", "tied": True}, "--adaptive has .* --tied the embedding: give one"),
        ({"batch": 5, "devices": 2}, "--batch 5 is shared out over --devices 2: expected a multiple of 2"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ConfigError, match=message):
        build(TrainLm, NEEDED[TrainLm] | options, "test")


@pytest.mark.parametrize(
    "options",
    [
        {"tied": True, "hidden": 8, "embed": 8},
        {"tied": True},
        {"tied": True, "embed": 7, "layers": 2},
        {"batch": 4, "devices": 2},
    ],
)
def test_options_that_do(options):
    build(TrainLm, NEEDED[TrainLm] | options, "test")


def test_a_cells_own_options_are_numbers_by_name():
    assert ModelOptions(cell_options=("forget_bias=1", "x=-2", "y=0.5")).cell_settings() == {
        "forget_bias": 1,
        "x": -2,
        "y": 0.5,
    }
    for wrong in ("forget_bias", "forget_bias=much", "=", ""):
        with pytest.raises(ConfigError, match="--cell-options: expected NAME=VALUE with a number, got "):
            build(TrainLm, NEEDED[TrainLm] | {"cell_options": [wrong]}, "test")


def test_epochs_default_only_where_nothing_else_ends_training():
    assert TrainingOptions().last_epoch == DEFAULT_EPOCHS == 20
    assert TrainingOptions(time_limit=5).last_epoch is None
    assert TrainingOptions(epochs=3, time_limit=5).last_epoch == 3


def test_the_vocabulary_is_limited_by_level_unless_said():
    assert [TextOptions(level).vocab_limit for level in ("char", "word", "bpe")] == [None, 10_000, 4_000]
    assert TextOptions("bpe", 300).vocab_limit == 300
