"""Peak memory of a training step with a large vocabulary, above what weights and gradients take (Linux).

    python scripts/large_vocabulary.py [--tokens 4096] [--vocabulary 250000] [--size 128] [--tied] [--cutoffs 2000 9000]

A step is what `train lm` does: forward, loss, backward, clipping, SGD. Ends with one JSON object.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from ostinato.core.batch import Batch
from ostinato.losses import sequence_cross_entropy
from ostinato.models.language_model import LanguageModel
from ostinato.optim import gradients_of, make_optimizer, take_step

STREAMS = 32


def memory(line: str) -> int:
    """A line of /proc/self/status, in bytes."""
    return int(Path("/proc/self/status").read_text().split(line + ":")[1].split()[0]) * 1024


def main() -> None:
    """Measure one step."""
    parser = argparse.ArgumentParser()
    for name, value in {"tokens": 4096, "vocabulary": 250_000, "size": 128}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--tied", action="store_true")
    parser.add_argument("--cutoffs", type=int, nargs="*", default=[])
    given = parser.parse_args()
    torch.manual_seed(0)
    model = LanguageModel(given.vocabulary, given.size, given.size, tied=given.tied, cutoffs=given.cutoffs)
    model.embedding.sparse = True
    optimizer = make_optimizer("sgd", model, lr=1.0)
    ids = torch.randint(0, given.vocabulary, (given.tokens // STREAMS + 1, STREAMS))
    batch = Batch(ids[:-1], ids[1:])
    LanguageModel(10, 4, 4)(ids[:3] % 10).hidden.sum().backward()  # libraries, threads
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that from here on
    before, began = memory("VmRSS"), time.process_time()
    loss = sequence_cross_entropy(model(batch.inputs), batch)
    loss.backward()
    gradients = gradients_of(model.parameters())
    norm = float(torch.nn.utils.get_total_norm(gradients))
    take_step(optimizer, 1.0, gradients, 0.25 / norm)
    held = sum(gradient.numel() * gradient.element_size() for gradient in gradients)
    found = {
        **vars(given),
        "weights_mb": sum(p.numel() for p in model.parameters()) * 4 / 1e6,
        "gradients_mb": held / 1e6,
    }
    found |= {"above_mb": (memory("VmHWM") - before - held) / 1e6, "seconds": time.process_time() - began}
    print(json.dumps({name: round(value, 1) if isinstance(value, float) else value for name, value in found.items()}))


if __name__ == "__main__":
    main()
