"""What torchrun says of the processes that it starts."""

import os

_SAID = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}


def place() -> tuple[int, int]:
    """Which process this is, from 0, and how many there are; (0, 1) where torchrun or its like started none."""
    if not os.environ.keys() >= _SAID:
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
