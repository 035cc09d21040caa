"""A captioner without us: what it sees and writes, in words and arrays."""

import numpy as np

from ostinato.interop.outgoing.described import Arrays, Described, lengths
from ostinato.tasks.caption.exporting import metadata
from ostinato.tasks.caption.model import CHANNELS, GROUPS, Captioner
from ostinato.tasks.caption.options import BEAM
from ostinato.tasks.decoder_exporting import writer
from ostinato.tasks.trained import Trained


def described(run: Trained) -> Described:
    """A picture, or features of its places, to a text."""
    model, sizes, tokenizer = run.model, run.config["model"], run.tokenizer
    assert isinstance(model, Captioner)
    about = {**metadata(run), "channels": list(CHANNELS), "groups": GROUPS}

    def read(draw: np.random.Generator, N: int, T: int) -> Arrays:
        if size := sizes.get("picture_size"):
            return {"inputs": draw.integers(0, 256, (N, 3, size, size), dtype=np.uint8)}
        features = draw.normal(size=(T, N, sizes["feature_size"])).astype(np.float32)
        return {"inputs": features, "lengths": lengths(draw, N, T)}

    never = set() if tokenizer.unk_id is None else {tokenizer.unk_id}
    end = tokenizer.eos_id
    return writer("captioner", about, read, tokenizer.size, run.config["decoding"], end=end, never=never, beam=BEAM)
