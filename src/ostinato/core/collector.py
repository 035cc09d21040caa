"""Python's garbage collector, out of the way where it would go through all of torch."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Without it: importing torch makes so many objects, all to stay, that going through them takes a fifth of the
    time; and what takes milliseconds afterwards should not wait for a collection that takes a hundred. What was made
    counts as old from then on, as if collections had found it in use."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # else the caller keeps objects out of collections, which has to stay so
            gc.freeze()
            gc.unfreeze()
        if was:
            gc.enable()
