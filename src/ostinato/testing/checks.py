"""Conformance: what has to hold for every configuration in a cell's `examples()`."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

from ostinato import kernels
from ostinato.cells import form
from ostinato.cells.contract import Cell
from ostinato.cells.noise import StateNoise
from ostinato.cells.unroll import Unrolled, one_step, unroll
from ostinato.core.lengths import valid_steps
from ostinato.core.registry import lookup, resized
from ostinato.testing.documents import documents
from ostinato.testing.samples import (
    Sample,
    draw_noise,
    gradients,
    layer_of,
    noise_row,
    options_of,
    same,
    same_fields,
    same_run,
    weigh,
)

Array = NDArray[np.float64]
#: `forward(x [T, N, D], parameters by name, state, **options) -> (outputs [T, N, O], final state)`, in float64.
Oracle = Callable[..., tuple[Array, tuple[Array, ...]]]


def declaration(cell: Cell) -> None:
    """What the class declares is what its equations give."""
    sample = Sample.draw(cell, steps=2, batch=3)
    rows = form.projected_size(cell)
    projected = cell.project(sample.p, sample.x)
    assert projected.shape == (2, 3, rows), (
        f"project gives {tuple(projected.shape)}, expected [T, N, projected_size] (2, 3, {rows})"
    )
    start = cell.initial_state(3, sample.x)
    assert isinstance(start, cell.State), f"initial_state gives {type(start).__name__}, expected {cell.State.__name__}"
    output, after = one_step(cell, sample.p, projected[0], start)
    assert isinstance(after, cell.State), f"step gives {type(after).__name__}, expected {cell.State.__name__}"
    assert output.shape == (3, cell.output_size), f"output {tuple(output.shape)}, expected (3, {cell.output_size})"
    for name, one, other in zip(cell.State._fields, start, after, strict=True):
        assert one.dtype == sample.x.dtype, f"initial {name}: {one.dtype}, expected that of the input"
        assert one.shape == other.shape, f"{name}: {tuple(one.shape)} before a step, {tuple(other.shape)} after"
        size = form.state_sizes(cell)[name]
        assert tuple(one.shape[1:]) == size, f"{name}: {tuple(one.shape[1:])} behind N, state_sizes says {size}"
    plain, state = cell.step(sample.p, projected[0], start)
    follows = getattr(cell, "output_is_state", plain is state[0])
    assert follows == (plain is state[0]), (
        f"output_is_state is {follows}; a step's output and first field say otherwise"
    )
    assert form.feeds_back(cell) or not form.asks_for_mask(cell), (
        "feeds_back is False, but the step asks for recurrent_mask, as contract.recurrent does: "
        "say by its role which parameter multiplies the state"
    )
    assert cell.paper.strip(), "`paper` is empty: say where the equations come from"


def gradient(cell: Cell) -> None:
    """Gradients of output and final state by inputs, parameters and initial state are those of finite differences.

    So are the gradients of gradients.
    """
    sample = Sample.draw(cell, steps=3, batch=3).leaves()
    inputs = sample.tensors_by_name()

    def forward(*tensors: Tensor, **kwargs: Any) -> tuple[Tensor, ...]:
        x, *rest = tensors
        state = cell.State(*rest[: len(cell.State._fields)])
        p = dict(zip(sample.p, rest[len(state) :], strict=True))
        ran = kernels.run(cell, p, x, state, **kwargs)
        return ran.output, *ran.final

    lengths = torch.tensor([3, 2, 0])
    cases: list[dict[str, Any]] = [{}, {"lengths": lengths}, {"lengths": lengths, "reverse": True}]
    for kwargs in cases:
        try:
            function = partial(forward, **kwargs)
            # Number by number once; then along random directions, which takes a tenth of the time.
            gradcheck(function, tuple(inputs.values()), fast_mode=bool(kwargs))
            gradgradcheck(function, tuple(inputs.values()), fast_mode=True)
        except GradcheckError as error:
            order = ", ".join(f"{index} {name}" for index, name in enumerate(inputs))
            raise AssertionError(f"{kwargs}: {error}\n(inputs: {order})") from error


def chunks(cell: Cell) -> None:
    """A whole sequence, its pieces with carried state, and single steps give the same; so does the way back."""
    sample = Sample.draw(cell, steps=6)
    for reverse in (False, True):
        same_run(
            f"whole against single steps, {reverse=}",
            sample.run(reverse=reverse, keep_states=True),
            sample.steps(reverse=reverse),
        )
    whole, state, outputs = sample.run(), sample.state, []
    for start, end in ((0, 1), (1, 4), (4, 6)):
        ran = sample._replace(x=sample.x[start:end], state=state).run()
        outputs.append(ran.output)
        state = ran.final
    same("pieces with carried state: output", torch.cat(outputs), whole.output)
    same_fields("pieces with carried state: final", state, whole.final)


def padding(cell: Cell) -> None:
    """A sequence in a padded batch gives what it gives alone, whatever the padding holds; gradients too."""
    lengths = torch.tensor([5, 3, 0, 1])
    sample = Sample.draw(cell, batch=4)
    beyond = ~valid_steps(lengths, 5)
    for reverse, fill, noise in product((False, True), (torch.nan, 1e30), (None, draw_noise(sample))):
        what = f"padding of {fill}, {reverse=}, noise={noise is not None}"
        leaves = sample._replace(x=sample.x.masked_fill(beyond.unsqueeze(-1), fill)).leaves()
        ran = leaves.run(lengths=lengths, reverse=reverse, noise=noise, keep_states=True)
        assert not ran.output[beyond].any(), f"{what}: the output beyond a length is not zero"
        alone = sample.leaves()
        output, finals = torch.zeros_like(ran.output), []
        for n, length in enumerate(lengths.tolist()):
            one = alone.row(n, length).run(reverse=reverse, noise=noise_row(noise, n, length), keep_states=True)
            output[:length, n] = one.output[:, 0]
            finals.append(one.final)
            same_fields(f"{what}, sequence {n}: every step's", _row(cell, ran.states, n, length), one.states)
        expected = ran._replace(
            output=output, final=cell.State(*map(torch.cat, zip(*finals, strict=True))), states=None
        )
        same_run(what, ran, expected)
        found = gradients(weigh(ran), leaves.tensors_by_name())
        assert not found["x"][beyond].any(), f"{what}: the gradient of the padding is not zero"
        for name, grad in gradients(weigh(expected), alone.tensors_by_name()).items():
            same(f"{what}: gradient of {name}", found[name], grad)


def _row(cell: Cell, states: Any, n: int, length: int) -> Any:
    return cell.State(*(field[:length, n : n + 1] for field in states))


def permutation(cell: Cell) -> None:
    """Sequences do not see each other: a permuted batch gives the permuted result."""
    sample, order = Sample.draw(cell, batch=4), torch.tensor([2, 0, 3, 1])
    moved = sample._replace(x=sample.x[:, order], state=cell.State(*(field[order] for field in sample.state)))
    for lengths in (None, torch.tensor([5, 3, 0, 1])):
        first = sample.run(lengths=lengths)
        second = moved.run(lengths=None if lengths is None else lengths[order])
        expected = first._replace(output=first.output[:, order], final=cell.State(*(f[order] for f in first.final)))
        same_run(f"permuted batch, lengths={None if lengths is None else lengths.tolist()}", second, expected)


def bfloat16(cell: Cell) -> None:
    """bfloat16 in, bfloat16 out, near the numbers of float32, and so are the gradients."""
    x = Sample.draw(cell, dtype=torch.float32).x
    layer, half = layer_of(cell, dtype=torch.float32), layer_of(cell, dtype=torch.bfloat16)
    half.load_state_dict(layer.state_dict())
    for lengths in (None, torch.tensor([5, 3, 0])):
        output, final = layer(x, lengths=lengths)
        found, state = half(x.bfloat16(), lengths=lengths)
        same("output", found, output.bfloat16(), 0.05)
        same_fields("final", state, cell.State(*(field.bfloat16() for field in final)), 0.05)
        expected = gradients(weigh(Unrolled(output, final)), dict(layer.named_parameters()))
        grads = gradients(weigh(Unrolled(found, state)), dict(half.named_parameters()))
        for name, grad in grads.items():
            assert grad.dtype == torch.bfloat16, f"gradient of {name} is {grad.dtype}"
        # by norm: rounding moves a single rectified unit across its kink
        every, other = (torch.cat([g.float().flatten() for g in each.values()]) for each in (expected, grads))
        error = float((other - every).norm() / every.norm())
        assert error < 0.2, f"gradients differ from those of float32 by {error:.3f} of their norm"
    noisy = layer_of(cell, dtype=torch.bfloat16, recurrent_dropout=0.5 * form.feeds_back(cell), zoneout=0.5)
    output, final = noisy(x.bfloat16())
    for tensor in (output, *final):
        assert tensor.dtype == torch.bfloat16, f"recurrent dropout and zoneout turn bfloat16 into {tensor.dtype}"


def state_dict(cell: Cell) -> None:
    """A stack's parameters have the declared names, order and shapes, and load again into an equal stack."""
    first, second = (layer_of(cell, s, num_layers=2, bidirectional=True, dtype=torch.float64) for s in (1, 2))
    assert options_of(first.cell) == options_of(cell), f"built {first.cell} from {cell}: is every option kept as given?"
    names = [f"{name}_l{i}{s}" for i in range(2) for s in ("", "_reverse") for name in cell.parameters()]
    assert list(first.state_dict()) == names, f"parameters {list(first.state_dict())}, expected {names}"
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    x = Sample.draw(cell).x
    (output, final), (again, final_again) = first(x), second(x)
    same("output of the loaded stack", again, output, 0)
    same_fields("final state of the loaded stack", final_again, final, 0)


def fused(cell: Cell) -> None:
    """A fused implementation gives what `unroll` gives in float64: output, states, final state and every gradient.

    In float32, for every kind of request, for sizes below and above a vector register, and for one step. Where a result
    is beyond 1e-5, 2e-5 or four times as far as `unroll` itself in float32 is near enough: exponential gates round
    otherwise in another order.
    """
    large = resized(cell, 7 * cell.input_size, 9 * cell.hidden_size)
    draws = [Sample.draw(each, steps, 4, torch.float32) for each, steps in [(cell, 1), (cell, 5), (large, 5)]]
    for sample, has_lengths, noisy, keep in product(draws, *[(False, True)] * 3):
        T = sample.x.shape[0]
        choice = kernels.find(sample.cell, kernels.Request(torch.float32, "cpu", T, has_lengths, noisy, keep))
        if choice.run is unroll:
            assert choice.reason, "a fallback without a reason"
            continue
        for reverse in (False, True):
            kwargs: dict[str, Any] = {"reverse": reverse, "keep_states": keep}
            kwargs |= {"lengths": torch.tensor([T, T - 1, 0, 1])} if has_lengths else {}
            noise = draw_noise(sample) if noisy else None
            what = f"{choice.name}, T={T}, H={sample.cell.hidden_size}, {', '.join(kwargs)}, {noisy=}, {reverse=}"
            found = _results(sample, kernels.run, noise=noise, **kwargs)
            exact = _results(sample.to(torch.float64), unroll, noise=noise and noise.to(torch.float64), **kwargs)
            try:
                _same_results(what, found, exact, dict.fromkeys(exact, 1e-5))
            except AssertionError:
                usual = _results(sample, unroll, noise=noise, **kwargs)
                _same_results(what, found, exact, {n: max(2e-5, 4 * _off(usual[n], e)) for n, e in exact.items()})


def _results(sample: Sample, run: Callable[..., Unrolled], **kwargs: Any) -> dict[str, Tensor]:
    """All that a run gives, gradients too, by what it is."""
    leaves = sample.leaves()
    ran = run(leaves.cell, leaves.p, leaves.x, leaves.state, **kwargs)
    found = {"output": ran.output} | {f"final {name}": field for name, field in ran.final._asdict().items()}
    if kwargs["keep_states"]:
        found |= {f"every step's {name}": field for name, field in ran.states._asdict().items()}
    grads = gradients(weigh(ran, states=True), leaves.tensors_by_name())
    return found | {f"gradient of {name}": grad for name, grad in grads.items()}


def _same_results(what: str, found: dict[str, Tensor], exact: dict[str, Tensor], tolerances: dict[str, float]) -> None:
    for name, expected in exact.items():
        same(f"{what}: {name}", found[name].double(), expected, tolerances[name])


def _off(found: Tensor, expected: Tensor) -> float:
    """The largest difference, as `same` measures it."""
    if not expected.numel():
        return 0.0
    scale = max(1.0, float(expected.detach().abs().max()))
    return float((found.double() - expected).detach().abs().max()) / scale


def recurrent_dropout(cell: Cell) -> None:
    """One mask for all steps, on every use of what is fed back and on nothing else; none at evaluation.

    Masking what W_hh multiplies is the same as masking the columns of W_hh, whatever else the cell does with its state.
    A cell that feeds nothing back has nothing to mask.
    """
    if not form.feeds_back(cell):
        return
    sample = Sample.draw(cell)
    mask = draw_noise(sample).recurrent_mask
    assert mask is not None
    plain, ran = sample.run(), sample.run(noise=StateNoise(recurrent_mask=mask))
    assert not torch.equal(ran.output, plain.output), (
        "recurrent dropout changes nothing: multiply what is fed back with contract.recurrent, "
        "or by p.get('recurrent_mask')"
    )
    same_run("a mask of ones", sample.run(noise=StateNoise(recurrent_mask=torch.ones_like(mask))), plain)
    if "weight_hh" in sample.p:
        for n in range(mask.shape[0]):
            one = sample.row(n, sample.x.shape[0])
            masked = one._replace(p=one.p | {"weight_hh": one.p["weight_hh"] * mask[n]})
            found = ran._replace(output=ran.output[:, n : n + 1], final=cell.State(*(f[n : n + 1] for f in ran.final)))
            same_run(f"mask on the state against columns of weight_hh, sequence {n}", found, masked.run())
    layer = layer_of(cell, recurrent_dropout=0.5, dtype=torch.float64)
    dropped = layer(sample.x)[0]
    layer.eval()
    kept = layer(sample.x)[0]
    assert not torch.equal(dropped, kept), "recurrent dropout has no effect in training"
    layer.recurrent_dropout = 0.0
    same("recurrent dropout at evaluation", kept, layer(sample.x)[0])


def zoneout(cell: Cell) -> None:
    """In training each unit keeps its value exactly or steps, at evaluation it takes the expectation."""
    sample = Sample.draw(cell, steps=20, batch=8)
    layer = layer_of(cell, zoneout=0.25, dtype=torch.float64)
    p = {name: layer.get_parameter(f"{name}_l0") for name in cell.parameters()}
    hx = cell.State(*(field.unsqueeze(0) for field in sample.state))
    layer.load_state_dict({f"{name}_l0": tensor for name, tensor in sample.p.items()})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        trained = layer(sample.x, hx, all_states=True)
    for kind, (output, _, states) in {"training": trained, "eval": layer.eval()(sample.x, hx, all_states=True)}.items():
        kept, stayed, before = [], [], sample.state
        for t in range(20):
            plain, after = cell.step(p, cell.project(p, sample.x[t : t + 1])[0], before)
            got = cell.State(*(field[0, t] for field in states))
            for name, new, old, now in zip(cell.State._fields, after, before, got, strict=True):
                what = f"zoneout in {kind}, step {t}, {name}"
                if kind == "eval":
                    same(what, now, 0.25 * old + 0.75 * new)
                else:
                    same(what, now, torch.where(now == old, old, new))
                    kept.append((now == old)[new != old])
                    stayed.append(now == old)
            follows = got[0] if plain is after[0] else plain
            readout = getattr(cell, "readout", None)
            expected = readout(p, cell.State(*(field.unsqueeze(0) for field in got)))[0] if readout else follows
            same(f"zoneout in {kind}, step {t}, output", output[t], expected)
            before = got
        if kept:
            units = torch.cat(kept).double()
            share, deviation = float(units.mean()), (0.25 * 0.75 / len(units)) ** 0.5
            assert abs(share - 0.25) < 4 * deviation, f"zoneout 0.25 in training kept {share:.3f} of the units"
            first = stayed[:: len(cell.State._fields)]
            assert any((first[0] != other).any() for other in first), "zoneout holds the same units at every step"
    layer.train().zoneout = 0.0
    same("zoneout 0", layer(sample.x, hx)[0], sample.run().output)


def agrees_with_oracle(cell: Cell, oracle: Oracle) -> None:
    """The equations are the paper's: compare with a transcription that shares no code with the cell.

    Args:
        cell: a configuration.
        oracle: see `Oracle`; gets the cell's options beyond sizes and bias by name.

    Raises:
        AssertionError: says what differs.
    """
    sample = Sample.draw(cell, steps=7)
    p = {name: tensor.numpy() for name, tensor in sample.p.items()}
    state = tuple(field.numpy() for field in sample.state)
    for reverse in (False, True):
        ran = sample.run(reverse=reverse)
        x = sample.x.flip(0) if reverse else sample.x
        outputs, final = oracle(x.numpy().copy(), p, state, **options_of(cell))
        _agree(f"oracle: output, {reverse=}", ran.output.numpy(), outputs[::-1] if reverse else outputs)
        for name, one, other in zip(cell.State._fields, ran.final, final, strict=True):
            _agree(f"oracle: final {name}, {reverse=}", one.numpy(), other)


def _agree(what: str, found: Array, expected: Array) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10, err_msg=what)


#: Every check by name; each takes a configuration and raises AssertionError where it fails.
CHECKS: Mapping[str, Callable[[Cell], None]] = {
    "declaration": declaration,
    "gradient": gradient,
    "chunks": chunks,
    "padding": padding,
    "documents": documents,
    "permutation": permutation,
    "bfloat16": bfloat16,
    "state_dict": state_dict,
    "fused": fused,
    "recurrent_dropout": recurrent_dropout,
    "zoneout": zoneout,
}


def check_cell(cell: str | type[Cell], oracle: Oracle | None = None) -> None:
    """Run every check on every configuration in a cell's `examples()`.

    Args:
        cell: a registered name, or a class that follows `ostinato.cells.contract.Cell`, registered or not.
        oracle: an independent transcription of the equations in NumPy, to compare numbers with.

    Raises:
        AssertionError: names the configuration and the check that fails, and what differs.
        ConfigError: no cell of that name.
    """
    kind = lookup(cell) if isinstance(cell, str) else cell
    examples = kind.examples()
    assert examples, f"{kind.__name__}.examples() is empty: give one small configuration for each option"
    for example in examples:
        checks = dict(CHECKS)
        if oracle is not None:
            checks["oracle"] = lambda configuration: agrees_with_oracle(configuration, oracle)
        for name, check in checks.items():
            try:
                check(example)
            except AssertionError as error:
                raise AssertionError(f"{example}, check {name!r}: {error}") from error
