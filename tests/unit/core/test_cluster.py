"""Where a process stands, by the variables of what has started it."""

import os

import pytest

from ostinato.core import cluster

SLURM = {"SLURM_PROCID": "3", "SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4"}
TORCH = {"RANK": "1", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1"}


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({}, (0, 1, 1, 0)),
        (TORCH, (1, 6, 2, 1)),
        ({"RANK": "1", "WORLD_SIZE": "2"}, (1, 2, 2, 1)),
        ({"WORLD_SIZE": "2"}, (0, 1, 1, 0)),
        (SLURM, (3, 8, 4, 3)),
        (SLURM | {"SLURM_PROCID": "5", "SLURM_LOCALID": "1"}, (5, 8, 4, 1)),
        (SLURM | TORCH, (1, 6, 2, 1)),  # torchrun, which Slurm has started
        (SLURM | {"SLURM_JOB_NAME": "interactive"}, (0, 1, 1, 0)),
    ],
)
def test_where_a_process_stands(monkeypatch, said, place):
    for name in [name for name in os.environ if name in TORCH or name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert cluster.place() == place
