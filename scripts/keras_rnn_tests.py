"""Keras' own tests of recurrent layers, on the package's layers by way of an adapter.

    git clone --depth 1 https://github.com/keras-team/keras
    python scripts/keras_rnn_tests.py keras/keras/src/layers/rnn

Keras itself is not imported: small modules stand under its name, whose SimpleRNN, LSTM, GRU and Bidirectional set up a
layer of ours and give what Keras' would. It needs `pip install absl-py pytest`. Tests of Keras' own machinery (its
configurations, its choice of cuDNN) are left out, and counted.
"""

import argparse
import os
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from absl.testing import parameterized
from torch import Tensor

import ostinato

FILES = ("simple_rnn_test.py", "lstm_test.py", "gru_test.py", "bidirectional_test.py")
MACHINERY = ("config", "legacy", "use_cudnn", "dispatch", "fused", "symbolic", "compute_output")
MERGES = {"concat": "concat", "sum": "sum", "mul": "mul", "ave": "mean", None: "concat"}


class Constant:
    """An initialiser."""

    def __init__(self, value: float) -> None:
        self.value = value


class RNN:
    """A layer with Keras' arguments, results and weights, by one of ours."""

    kind, fields = "RNN", 1

    def __init__(self, units: int, **given: Any) -> None:
        self.units, self.given, self.kept = units, given, None
        self.layer: Any = None

    def option(self, name: str, default: Any = False) -> Any:
        """What was asked for."""
        return self.given.get(name, default)

    def arguments(self) -> dict[str, Any]:
        """Those of our layer."""
        named = {"use_bias": "bias", "recurrent_dropout": "recurrent_dropout"}
        named |= {"activation": "activation", "recurrent_activation": "recurrent_activation"}
        found = {ours: self.given[theirs] for theirs, ours in named.items() if theirs in self.given}
        return found | {"batch_first": True}

    def held(self, mask: Any) -> dict[str, bool]:
        """Our option for what Keras' outputs are where masked."""
        return {"hold_output": True} if mask is not None and not self.option("zero_output_for_mask") else {}

    def made(self, features: int, **more: Any) -> Any:
        """The layer, its weights not set."""
        return getattr(ostinato, self.kind)(features, self.units, **self.arguments(), **more)

    def fill(self, layer: Any, suffix: str = "") -> None:
        """Set one direction's weights as the initialisers say."""
        values = {"weight_ih": "kernel", "weight_hh": "recurrent", "bias_ih": "bias", "bias_hh": "bias"}
        for name, what in values.items():
            given = self.option(f"{what}_initializer", None)
            if given is not None and (weight := getattr(layer, f"{name}_l0{suffix}", None)) is not None:
                with torch.no_grad():
                    weight.fill_(given.value)
                    self.adjust(name, weight)

    def adjust(self, name: str, weight: Tensor) -> None:
        """Where Keras has one bias, ours has two."""
        if name == "bias_hh":
            weight.zero_()

    def __call__(self, x: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Keras' call: `[N, T, D]` to the last output, or all of them."""
        x = torch.as_tensor(np.asarray(x), dtype=torch.float32)
        if self.layer is None:
            backwards = {"reverse": True} if self.option("go_backwards") else {}
            self.layer = self.made(x.shape[-1], **backwards, **self.held(mask))
            self.fill(self.layer)
        self.layer.train(training)
        hx = self.kept if initial_state is None else packed(initial_state, 1, self.fields)
        masked = {} if mask is None else {"mask": torch.as_tensor(mask)}
        with torch.no_grad():
            output, state = self.layer(x, hx, **masked)
        if self.option("stateful"):
            self.kept = state
        fields = [state] if isinstance(state, Tensor) else list(state)
        if not self.option("return_sequences"):
            output = fields[0][0]
        elif self.option("go_backwards"):
            output = output.flip(1)
        return [output, *(field[0] for field in fields)] if self.option("return_state") else output

    def reset_state(self) -> None:
        """Forget."""
        self.kept = None


class LSTM(RNN):
    """One bias; the forget gate's begins at 1."""

    kind, fields = "LSTM", 2

    def adjust(self, name: str, weight: Tensor) -> None:
        """See `RNN`."""
        super().adjust(name, weight)
        if name == "bias_ih" and self.option("unit_forget_bias", True):
            weight[self.units : 2 * self.units] = 1


class GRU(RNN):
    """Two biases where the reset gate acts after the product."""

    kind = "GRU"

    def made(self, features: int, **more: Any) -> Any:
        """See `RNN`."""
        if self.option("reset_after", True):
            return super().made(features, **more)
        return ostinato.Recurrent("gru_reset_before", features, self.units, **self.arguments(), **more)

    def adjust(self, name: str, weight: Tensor) -> None:
        """See `RNN`."""
        if not self.option("reset_after", True):
            super().adjust(name, weight)


class Bidirectional:
    """Both directions of a layer."""

    def __init__(self, layer: RNN, merge_mode: str | None = "concat", backward_layer: RNN | None = None) -> None:
        self.forward, self.backward = layer, backward_layer or layer
        self.merge_mode, self.layer, self.kept = merge_mode, None, None

    def __call__(self, x: Any, initial_state: Any = None, mask: Any = None, training: bool = False) -> Any:
        """Keras' call."""
        x, one = torch.as_tensor(np.asarray(x), dtype=torch.float32), self.forward
        if self.layer is None:
            merged = {} if MERGES[self.merge_mode] == "concat" else {"merge": MERGES[self.merge_mode]}
            self.layer = one.made(x.shape[-1], bidirectional=True, **merged, **one.held(mask))
            one.fill(self.layer)
            self.backward.fill(self.layer, "_reverse")
        self.layer.train(training)
        hx = self.kept if initial_state is None else packed(initial_state, 2, one.fields)
        masked = {} if mask is None else {"mask": torch.as_tensor(mask)}
        with torch.no_grad():
            output, state = self.layer(x, hx, **masked)
        if one.option("stateful"):
            self.kept = state
        fields = [state] if isinstance(state, Tensor) else list(state)
        last = not one.option("return_sequences")
        parts = list(fields[0]) if last else list(output.chunk(2, -1))
        if self.merge_mode is not None:
            parts = [self.joined(fields[0]) if last else output]
        states = [field[direction] for direction in range(2) for field in fields]
        found = [*parts, *(states if one.option("return_state") else [])]
        return found if len(found) > 1 else found[0]

    def joined(self, both: Tensor) -> Tensor:
        """The last outputs of both directions, as the layer joins all others."""
        from ostinato.layers.recurrent import MERGES as JOINED

        return JOINED[self.layer.merge](both[0], both[1])

    def reset_state(self) -> None:
        """Forget."""
        self.kept = None

    def compute_output_shape(self, shape: tuple[int, ...]) -> Any:
        """What the shapes of a call's results are."""
        units, N = self.forward.units, shape[0]
        parts = [(N, units)] * 2 if self.merge_mode is None else [(N, units * (1 + (self.merge_mode == "concat")))]
        states = [(N, units)] * (2 * self.forward.fields) if self.forward.option("return_state") else []
        return [*parts, *states] if len(parts) + len(states) > 1 else parts[0]


def packed(state: Any, directions: int, fields: int) -> Any:
    """Keras' list of states as ours: a field after the other, the directions stacked."""
    given = [state] if directions * fields == 1 and not isinstance(state, list) else list(state)
    tensors = [torch.as_tensor(np.asarray(each), dtype=torch.float32) for each in given]
    stacked = [torch.stack(tensors[field::fields]) for field in range(fields)]
    return tuple(stacked) if fields > 1 else stacked[0]


class TestCase(parameterized.TestCase):
    """What Keras' tests call."""

    def assertAllClose(self, one: Any, other: Any, atol: float = 1e-6, rtol: float = 1e-6, **_: Any) -> None:  # noqa: N802
        """Of equal shape, and near."""
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=atol, rtol=rtol)

    def run_layer_test(
        self, kind: Any, init_kwargs: Any, input_shape: Any, call_kwargs: Any = None, **said: Any
    ) -> None:
        """That a layer can be made and called, and gives the shape that is said."""
        output = kind(**init_kwargs)(np.random.default_rng(0).normal(size=input_shape), **(call_kwargs or {}))
        output = output[0] if isinstance(output, list) else output
        assert tuple(output.shape) == tuple(said["expected_output_shape"])
        assert bool(torch.isfinite(output).all())


class Outcomes:
    """Leaves out what tests Keras itself; notes how the others ended."""

    def __init__(self) -> None:
        self.outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Those that remain."""
        for item in items:
            if any(word in item.name for word in MACHINERY):
                item.add_marker(pytest.mark.skip(reason="Keras' own machinery"))

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Set-up, call and tear-down each report; the worst counts."""
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid] = report.outcome


def stand_in() -> None:
    """Put small modules under Keras' name."""
    contents = {
        "keras.src.layers": {"SimpleRNN": RNN, "LSTM": LSTM, "GRU": GRU, "Bidirectional": Bidirectional},
        "keras.src.initializers": {"Constant": Constant},
        "keras.src.testing": {
            "TestCase": TestCase,
            "tensorflow_uses_gpu": lambda: False,
            "jax_uses_gpu": lambda: False,
        },
        "keras.src.backend": {"backend": lambda: "ostinato"},
    }
    for name in ("keras", "keras.src", *contents):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(contents.get(name, {}))
        above, _, own = name.rpartition(".")
        if above:
            setattr(sys.modules[above], own, sys.modules[name])


def main() -> int:
    """Run the tests and print how they ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tests", type=Path, help="Keras' folder keras/src/layers/rnn")
    given, rest = parser.parse_known_args()
    if missing := [name for name in FILES if not (given.tests / name).is_file()]:
        parser.error(f"{given.tests}: expected {', '.join(missing)} there: give Keras' folder keras/src/layers/rnn")
    stand_in()
    found = Outcomes()
    quiet = ("-q", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist", "--import-mode=importlib", "-W", "ignore")
    pytest.main([*(str(given.tests / name) for name in FILES), "-c", os.devnull, *quiet, *rest], plugins=[found])
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(Counter(found.outcomes.values()).items())))
    return int("failed" in found.outcomes.values())


if __name__ == "__main__":
    sys.exit(main())
