"""Many random cells compiled as one library, and each compared with the reference in float64."""

from __future__ import annotations

import ctypes
import os
import pickle
import random
import re
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ostinato.cells.noise import StateNoise
from ostinato.cells.unroll import Unrolled, unroll
from ostinato.compiler import build
from ostinato.compiler.kernel import Kernel, kernel_of
from ostinato.kernels import compiled, compiled_kernels
from ostinato.native import library as native_library
from ostinato.native.programs import FusedFunctions
from ostinato.testing.samples import Sample, gradients, weigh
from tests.fuzz.cells.drawing import draw
from tests.fuzz.cells.programs import Program

#: Of a cell's largest number: what float32 may be off, and how many times the error of the loop in float32.
TOLERANCE, TIMES = 3e-6, 10.0
#: Beyond this a cell's numbers say nothing of the compiler.
_LARGEST = 1e4


class Case(NamedTuple):
    """A cell, and how it is run.

    Attributes:
        seed: of its numbers.
        cell: the cell.
        masked: with recurrent dropout.
        zoned: with zoneout.
        program: what it was made of, where it was drawn.
    """

    seed: int
    cell: Any
    masked: bool = False
    zoned: bool = False
    program: Program | None = None

    @classmethod
    def of(cls, program: Program) -> Case:
        """With the noise of its seed."""
        rng = random.Random(f"noise {program.seed}")
        return cls(program.seed, program.cell(), rng.random() < 0.2, rng.random() < 0.2, program)

    def runs(self) -> Iterable[Run]:
        """Three sequences of random numbers: where two numbers are nearly equal a comparison may go either way."""
        return (Run.draw(self, number) for number in range(3))


class Run(NamedTuple):
    """One sequence through a case's cell, in float64."""

    case: Case
    sample: Sample
    how: dict[str, Any]

    @classmethod
    def draw(cls, case: Case, number: int) -> Run:
        rng = random.Random(f"run {case.seed} {number}")
        T, N = rng.choice((1, 2, 3, 5)), rng.choice((1, 2, 3, 5, 9, 17))
        torch.manual_seed(case.seed * 8 + number)
        sample = Sample.draw(case.cell, T, N)
        p = {name: torch.randn_like(value) / max(1, value.shape[-1] if value.dim() > 1 else 2) ** 0.5
             for name, value in sample.p.items()}  # fmt: skip
        state = type(sample.state)(*(torch.randn_like(field) * 0.5 for field in sample.state))
        sample = sample._replace(p=p, x=torch.randn_like(sample.x), state=state)
        noise = None
        if case.masked or case.zoned:
            mask = (torch.rand_like(state[0]) < 0.7).double() / 0.7 if case.masked else None
            shares = [torch.rand(T, *field.shape, dtype=torch.float64) for field in state] if case.zoned else None
            noise = StateNoise(mask, shares)
        lengths = torch.tensor([rng.randint(0, T) for _ in range(N)]) if rng.random() < 0.5 else None
        return cls(case, sample, {"lengths": lengths, "reverse": rng.random() < 0.3, "noise": noise})

    def results(self, run: Any, dtype: torch.dtype) -> dict[str, Tensor]:
        """Outputs, states and all gradients by name."""
        sample = self.sample.to(dtype).leaves()
        noise = self.how["noise"] and self.how["noise"].to(dtype)
        ran: Unrolled = run(
            sample.cell, sample.p, sample.x, sample.state, **self.how | {"noise": noise}, keep_states=True
        )
        found = {"output": ran.output}
        for name, final, every in zip(sample.state._fields, ran.final, ran.states, strict=True):
            found |= {f"final {name}": final, f"every {name}": every}
        by = sample.tensors_by_name()
        loss = weigh(ran, states=True)
        grads = gradients(loss, by) if loss.requires_grad else {name: torch.zeros_like(t) for name, t in by.items()}
        return {name: t.detach() for name, t in found.items()} | {f"gradient of {n}": g for n, g in grads.items()}

    def fault(self) -> str:
        """What is off by too much; empty where nothing is."""
        exact, usual = (self.results(unroll, dtype) for dtype in (torch.float64, torch.float32))
        found = self.results(compiled.run, torch.float32)
        for name, expected in exact.items():
            if found[name].shape != expected.shape:
                return f"{name}: shape {tuple(found[name].shape)}, expected {tuple(expected.shape)}"
            if not expected.numel():
                continue
            scale = max(1.0, float(expected.abs().max()))
            error, by_loop = (float((one[name] - expected).abs().max()) / scale for one in (found, usual))
            if not error <= max(TOLERANCE, TIMES * by_loop):
                return f"{name}: off by {error:.2g} of {scale:.3g}, the loop in float32 by {by_loop:.2g}"
        return ""

    def tame(self) -> bool:
        """Whether its numbers are of use."""
        found = self.results(unroll, torch.float64).values()
        return all(bool(tensor.isfinite().all()) and bool((tensor.abs() < _LARGEST).all()) for tensor in found)


def cases(first: int, count: int, drawn: Callable[[int], Program] = draw) -> list[Case]:
    """As many useful ones, from a seed on."""
    found: list[Case] = []
    while len(found) < count:
        case = Case.of(drawn(first))
        first += 1
        if all(run.tame() for run in case.runs()):
            found.append(case)
    return found


def faults(given: Sequence[Case], optimise: str = "-O1") -> dict[int, str]:
    """Of some cases, by their places, what is wrong.

    Args:
        given: the cases; their code is compiled as one library.
        optimise: how much the compiler is to do.
    """
    found: dict[int, str] = {}
    kernels: dict[int, Kernel] = {}
    for index, case in enumerate(given):
        try:
            kernels[index] = _kernel(case)
        except Exception as error:
            if "too many" in str(error):  # pieces of units: the reference runs such a cell
                continue
            found[index] = f"{type(error).__name__}: {error}"
    _compile_together(list(kernels.values()), optimise)
    judged = apart(lambda: {index: fault for index in kernels if (fault := _judged(given[index], kernels[index]))})
    if isinstance(judged, str):  # one of them ends the process
        judged = {index: apart(partial(_judged, given[index], kernels[index])) for index in kernels}
    return found | {index: fault for index, fault in judged.items() if fault}


def apart(function: Callable[[], Any]) -> Any:
    """What a function gives, in a process of its own; the signal that ended it, if one did."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            result = function()
        except BaseException:
            result = f"an exception:\n{traceback.format_exc()[-2000:]}"
        with os.fdopen(write, "wb") as file:
            pickle.dump(result, file)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        content = file.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"ended by signal {os.WTERMSIG(status)}"
    return pickle.loads(content)


def _kernel(case: Case) -> Kernel:
    return kernel_of(case.cell, _isa(), masked=case.masked, zoned=case.zoned)


def _judged(case: Case, kernel: Kernel) -> str:
    """A fault is there with all numbers that were drawn, or nearly all."""
    compiled_kernels.keep(case.cell, kernel)
    said = [fault for run in case.runs() if (fault := run.fault())]
    return said[0] if len(said) >= 2 else ""


def _compile_together(kernels: Sequence[Kernel], optimise: str) -> None:
    """As `Kernel.compile`, with one call of the compiler."""
    heads: dict[str, None] = {}
    parts: list[str] = []
    for index, kernel in enumerate(kernels):
        for backward in (False, True):
            lines = _OWN.sub(rf"\g<0>_{index}_{int(backward)}", kernel.source(backward=backward)).splitlines()
            heads |= dict.fromkeys(line for line in lines if line.startswith("#"))
            parts += [line for line in lines if not line.startswith("#")]
    text = "\n".join([*heads, *parts, ""]).replace(_TEAM, "")
    if any(kernel.fused for kernel in kernels):  # the others start no threads of their own
        text += f"namespace ostinato {{ {_TEAM} }}\n"
    library = _built(text, optimise)
    for index, kernel in enumerate(kernels):
        directions = [_Names(library.handle, f"_{index}_{number}") for number in (0, 1)]
        if kernel.fused:
            kernel.functions = [FusedFunctions(direction) for direction in directions]  # type: ignore[arg-type]
            kernel._template.kept_size = kernel.functions[0].kept(kernel._template)
        else:
            for part, names in zip((kernel._template.forward, kernel._template.backward), directions, strict=True):
                table = ctypes.c_void_p.in_dll(library.handle, f"ostinato_stages{names.suffix}")
                part.stages = ctypes.addressof(table)
        kernel._libraries = [library]


# What the sources of several kernels have under the same names.
_OWN = re.compile(r"\b(?:(?:forward|backward)_\d+(?:_past)?|ostinato_stages|Compiled|roles|ostinato_cell_\w+)\b")
_TEAM = "const Team* team = nullptr;"


class _Names:
    """A library's functions of one kernel, under the names that they have where it is alone."""

    def __init__(self, handle: ctypes.CDLL, suffix: str) -> None:
        self._handle, self.suffix = handle, suffix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, f"{name}{self.suffix}")


def _built(text: str, optimise: str) -> build.Library:
    flags = build._FLAGS
    build._FLAGS = tuple(optimise if flag == "-O2" else flag for flag in flags)
    try:
        return build.libraries(_isa(), [text])[0]
    finally:
        build._FLAGS = flags


def _isa() -> str:
    library = native_library.load()
    assert not isinstance(library, str), library
    return library.isa


def smallest(case: Case, fault: str) -> tuple[Case, str]:
    """A case that is wrong in the same way, of as few lines as are needed."""
    kind = _kind(fault)
    improved = case.program is not None
    while improved and case.program is not None:
        improved = False
        for program in case.program.smaller():
            try:
                smaller = case._replace(cell=program.cell(), program=program)
                said = faults([smaller], "-O0").get(0, "")
            except Exception:  # no cell any more
                continue
            if said and _kind(said) == kind:
                case, fault, improved = smaller, said, True
                break
    return case, fault


def _kind(fault: str) -> str:
    return "wrong" if " off by " in fault else re.sub(r"\(.*|\d+", "", fault)


def report(case: Case, fault: str) -> str:
    """For people: the seed, the fault, and the cell."""
    noise = ", ".join(name for name, there in (("recurrent dropout", case.masked), ("zoneout", case.zoned)) if there)
    source = case.program.source if case.program else repr(case.cell)
    return f"seed {case.seed}{f' with {noise}' if noise else ''}: {fault}\n\n{source}"


def by_kind(found: Mapping[int, str]) -> dict[str, list[int]]:
    """Faults that are alike."""
    kinds: dict[str, list[int]] = {}
    for index, fault in found.items():
        kinds.setdefault(_kind(fault), []).append(index)
    return kinds
