"""A scan over time, compiled by JAX."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from typing import Any

import numpy as np
import torch

from ostinato.bench.problem import Problem, Results
from ostinato.cells import form

_Step = Callable[[Any, Any, Any, Any], tuple[Any, Any]]


def _lstm(jax: Any, p: Any, state: Any, pre: Any) -> tuple[Any, Any]:
    h, c = state
    i, f, g, o = jax.numpy.split(pre + h @ p["weight_hh_l0"].T + p["bias_hh_l0"], 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(g)
    h = jax.nn.sigmoid(o) * jax.numpy.tanh(c)
    return (h, c), h


def _gru(jax: Any, p: Any, state: Any, pre: Any) -> tuple[Any, Any]:
    (h,) = state
    xr, xz, xn = jax.numpy.split(pre, 3, axis=-1)
    hr, hz, hn = jax.numpy.split(h @ p["weight_hh_l0"].T + p["bias_hh_l0"], 3, axis=-1)
    r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
    n = jax.numpy.tanh(xn + r * hn)
    h = (1 - z) * n + z * h
    return (h,), h


def _rnn(jax: Any, p: Any, state: Any, pre: Any) -> tuple[Any, Any]:
    h = jax.numpy.tanh(pre + state[0] @ p["weight_hh_l0"].T + p["bias_hh_l0"])
    return (h,), h


#: By the mode of torch.nn's layer with these equations.
_STEPS: dict[str, _Step] = {"LSTM": _lstm, "GRU": _gru, "RNN_TANH": _rnn}


class JaxScan:
    """`jax.lax.scan` under `jit`: the input's product once for all steps, gradients by `jax.vjp`, all one program."""

    within = staticmethod(nullcontext[None])

    def __init__(self, problem: Problem) -> None:
        jax = import_module("jax")
        jax.config.update("jax_platforms", "cpu")
        step, fields = _STEPS[form.torch_mode(problem.cell)], len(problem.cell.State._fields)

        def forward(p: Any, x: Any) -> Any:
            zeros = jax.numpy.zeros((x.shape[1], problem.row.H), x.dtype)
            pre = x @ p["weight_ih_l0"].T + p["bias_ih_l0"]
            return jax.lax.scan(lambda state, at: step(jax, p, state, at), (zeros,) * fields, pre)[1]

        def both(p: Any, x: Any, upstream: Any) -> Any:
            output, pull = jax.vjp(forward, p, x)
            return output, pull(upstream)

        self._jax = jax
        parameters = problem.layer.named_parameters()
        p = {name: jax.numpy.asarray(tensor.detach().numpy()) for name, tensor in parameters}
        x, upstream = (jax.numpy.asarray(tensor.numpy()) for tensor in (problem.x, problem.upstream))
        self._compiled = jax.jit(both if problem.training else forward)
        self._arguments = (p, x, upstream) if problem.training else (p, x)
        self._training = problem.training

    def run(self) -> Any:
        """One call of the compiled program, to its end."""
        return self._jax.block_until_ready(self._compiled(*self._arguments))

    def results(self) -> Results:
        """Output and gradients; it has no final state."""
        ran = self.run()
        if not self._training:
            return {"output": _tensor(ran)}
        output, (grad_p, grad_x) = ran
        grads = {f"grad {name}": _tensor(grad) for name, grad in grad_p.items()}
        return {"output": _tensor(output), "grad x": _tensor(grad_x)} | grads


def _tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.array(array))
