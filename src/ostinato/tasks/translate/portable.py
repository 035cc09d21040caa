"""A translator without us: what it reads and writes, in words and arrays."""

import numpy as np

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.tasks.decoder_exporting import writer
from ostinato.tasks.trained import Trained
from ostinato.tasks.translate.exporting import metadata, require_plain
from ostinato.tasks.translate.options import BEAM


def described(run: Trained) -> Described:
    """A text to another one."""
    require_plain(run)
    codec, decoding = run.codec, run.config["decoding"]
    about = {**metadata(run), "source_ends": codec.ends, "source_width": codec.width}

    def read(draw: np.random.Generator, N: int, T: int) -> Arrays:
        return {"inputs": draw.integers(0, codec.source.size, (T, N)), "lengths": lengths(draw, N, T)}

    never, end = codec.never_written, codec.target.eos_id
    return writer("translator", about, read, codec.target.size, decoding, end=end, never=never, beam=BEAM)
