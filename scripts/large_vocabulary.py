"""Peak memory of a training step with a large vocabulary, above what weights and gradients take (Linux).

    python scripts/large_vocabulary.py [--tokens 4096] [--vocabulary 250000] [--size 128] [--tied] [--cutoffs 2000 9000]

A step is what `train lm` does: forward, loss, backward, clipping, SGD. Ends with one JSON object.
"""

import argparse
import json
import time

import torch

from ostinato.bench.language import memory
from ostinato.core.batch import Batch
from ostinato.losses import sequence_cross_entropy
from ostinato.optim import gradients_of, make_optimizer, take_step
from ostinato.tasks.lm.model import LanguageModel

STREAMS = 32


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
    memory.forget_peak()
    before, began = memory.resident(), time.process_time()
    loss = sequence_cross_entropy(model(batch.inputs), batch)
    loss.backward()
    gradients = gradients_of(model.parameters())
    norm = float(torch.nn.utils.get_total_norm(gradients))
    take_step(optimizer, 1.0, gradients, 0.25 / norm)
    highest, weights = memory.peak(), sum(p.nbytes for p in model.parameters()) / 1e6
    held = sum(gradient.nbytes for gradient in gradients) / 1e6
    found = {
        **vars(given),
        "weights_mb": weights,
        "gradients_mb": held,
        "above_mb": highest - before - held,
        "seconds": time.process_time() - began,
    }
    print(json.dumps({name: round(value, 1) if isinstance(value, float) else value for name, value in found.items()}))


if __name__ == "__main__":
    main()
