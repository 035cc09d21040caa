"""A transcriber of torch.nn's classes."""

from typing import Any

from torch import Tensor, nn

from ostinato.interop.outgoing.plain.padded import recurrent, run_padded


class Transcriber(nn.Module):
    """Frames to scores of the symbol that each says, class 0 of none."""

    def __init__(self, features: int, symbols: int, layers: dict[str, Any]) -> None:
        super().__init__()
        self.recurrent = recurrent(features, **layers)
        width = (layers.get("proj_size") or layers["hidden_size"]) * (2 if layers.get("bidirectional") else 1)
        self.output = nn.Linear(width, symbols + 1)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Scores `[T, N, V + 1]` of standardised frames `[T, N, D]`, of which `lengths` `[N]` are valid."""
        found: Tensor = self.output(run_padded(self.recurrent, inputs, lengths)[0])
        return found

    def best_path(self, scores: Tensor) -> list[int]:
        """The symbols, from 1, of one sequence's scores `[T, V + 1]`: the best class of each frame, repeats merged and
        blanks left out."""
        classes = [int(one) for one in scores.argmax(-1)]
        changed = [one for one, before in zip(classes, [0, *classes], strict=False) if one != before]
        return [one for one in changed if one]
