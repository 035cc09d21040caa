"""`Recurrent`: any registered cell as a layer."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence

from ostinato.cells import form
from ostinato.cells.contract import Cell, Parameter, check_flags
from ostinato.cells.noise import StateNoise
from ostinato.cells.unroll import Unrolled
from ostinato.core.errors import ConfigError, TensorError, unknown_name
from ostinato.core.registry import options_set
from ostinato.core.torch_private import own_parameters
from ostinato.layers import shapes
from ostinato.layers.dropout import check_fed_back, check_products, check_rates
from ostinato.layers.dropout import dropout as drop
from ostinato.layers.eight_bits import Weights, runner
from ostinato.layers.leaf import Quantization, leaf
from ostinato.layers.restarts import CHOICES, Restarts
from ostinato.layers.stack import Cells, Stack, stacked
from ostinato.layers.stream import Stream

#: What the outputs of two directions become.
MERGES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "concat": lambda one, other: torch.cat((one, other), dim=-1),
    "sum": torch.add,
    "mul": torch.mul,
    "mean": lambda one, other: (one + other) / 2,
}


class Recurrent(nn.Module):
    """A stack of recurrent layers of one cell, over whole sequences.

    Parameters are named as torch.nn names them: `weight_ih_l0`, `weight_hh_l0`, ..., with `_reverse` for the other
    direction, so that a cell that torch has exchanges its `state_dict` with torch's layer.

    Args:
        cell: a registered cell's name, such as "lstm"; `ostinato.config.cells.CELL_NAMES` lists those in the package.
            Or a cell, such as `LSTM(128, 256)` of `ostinato.cells.lstm`; or a list of cells, one for each layer, which
            need not be of one kind.
        input_size: D, features of an input. A cell says it itself, and the two that follow, and its options.
        hidden_size: H, units of each layer.
        num_layers: L, layers one above the other. A list says it.
        bias: whether there are biases.
        batch_first: sequences are `[N, T, ...]` instead of `[T, N, ...]`. As with torch, not the state.
        dropout: share of each layer's outputs, the last one's aside, set to zero in training.
        bidirectional: in each layer a second one runs from the end to the start; `merge` says what both outputs become.
        recurrent_dropout: share of the fed-back state set to zero in training, the same units at every step of a
            sequence (variational; Gal, Ghahramani 2016). As weight_drop, of a cell with a recurrent product.
        locked_dropout: `dropout` too sets the same units to zero at every step of a sequence.
        weight_drop: share of the recurrent weights, such as `weight_hh`, set to zero in training, others in each call
            (DropConnect on the way from step to step; Merity et al. 2018, arXiv:1708.02182).
        zoneout: probability that a unit of the state keeps its value for a step (Krueger et al. 2017); at evaluation
            its expectation.
        recompute: keep for backward the state of every k-th step only and compute the rest again: memory for time. By
            default everything is kept.
        batch_first_state: the state is `[N, L*S, ...]` too.
        reverse: run from the end to the start alone; outputs stand at their steps. Not with bidirectional.
        merge: what the outputs of two directions become in each layer: "concat", their "sum", "mean" or "mul", the
            product.
        hold_output: at steps that a mask or a length leaves out, outputs repeat the last one before instead of being
            zero, as Keras' do.
        device: where to make the parameters.
        dtype: of the parameters.
        **options: the cell's own, such as `forget_bias=1.0` or `proj_size=100` for the LSTM.

    Raises:
        ConfigError: an unknown cell or option, a size below 1, a rate outside 0 to 1, cells that do not go one above
            the other, noise on what a cell does not feed back; an OptionTypeError where it is of another type.
    """

    #: Whether a state is returned as the cell's NamedTuple; else as torch.nn does, a tuple or, of one field, a tensor.
    named_state = True

    qconfig, weights = Quantization(), Weights()

    # Of layers that were pickled before there were these options.
    reverse, merge, hold_output, _mixed = False, "concat", False, False
    _names: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    #: Takes a cell over a sequence, as `cells.unroll.unroll`, in place of the kernels: how `inspection` looks inside.
    runner: Callable[..., Unrolled] | None = None

    def __init__(
        self,
        cell: Cells,
        input_size: int | None = None,
        hidden_size: int | None = None,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        recurrent_dropout: float = 0.0,
        locked_dropout: bool = False,
        weight_drop: float = 0.0,
        zoneout: float = 0.0,
        recompute: int | None = None,
        batch_first_state: bool = False,
        reverse: bool = False,
        merge: str = "concat",
        hold_output: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        check_rates(dropout=dropout, recurrent_dropout=recurrent_dropout, weight_drop=weight_drop, zoneout=zoneout)
        check_fed_back(recurrent_dropout=recurrent_dropout, weight_drop=weight_drop)
        check_flags(bias=bias, batch_first=batch_first)
        if recompute is not None and (not isinstance(recompute, int) or recompute < 1):
            raise ConfigError(f"recompute: expected a whole number of at least 1 (steps), or None, got {recompute!r}")
        self.recompute = recompute
        self.batch_first, self.dropout, self.bidirectional = batch_first, dropout, bidirectional
        self.recurrent_dropout, self.zoneout, self.batch_first_state = recurrent_dropout, zoneout, batch_first_state
        self.locked_dropout, self.weight_drop = locked_dropout, weight_drop
        _check_directions(bidirectional, reverse, merge)
        self.reverse, self.merge, self.hold_output = reverse, merge, hold_output
        directions, sizes = len(self._suffixes), (input_size, hidden_size, num_layers)
        joined = directions if merge == "concat" else 1
        made = stacked(cell, *sizes, bias=bias, directions=directions, joined=joined, options=options)
        self.cells, self._mixed = made.cells, made.mixed
        self.input_size, self.hidden_size, self.num_layers = (
            self.cell.input_size,
            self.cells[-1].hidden_size,
            len(self.cells),
        )
        self.bias = self.cell.bias
        check_products(self.cells, recurrent_dropout=recurrent_dropout, weight_drop=weight_drop)
        self._declared: dict[str, Parameter] = {}
        self._names = {}  # by layer and direction: declaring them takes longer than a call can wait
        for index, layer_cell in enumerate(self.cells):
            for suffix in (f"_l{index}{direction}" for direction in self._suffixes):
                self._names[suffix] = tuple(layer_cell.parameters())
                for name, declared in layer_cell.parameters().items():
                    full = name + suffix
                    self._declared[full] = declared
                    self.register_parameter(full, nn.Parameter(torch.empty(declared.shape, device=device, dtype=dtype)))
        self.reset_parameters()

    @property
    def cell(self) -> Cell:
        """The cell of the first layer."""
        return self.cells[0]

    @property
    def stack(self) -> Stack:
        """The cells, and the form of their state."""
        return Stack(self.cells, len(self._suffixes), self._mixed)

    @property
    def output_size(self) -> int:
        """Features of an output: O, twice that where two directions are concatenated."""
        return self.cells[-1].output_size * (len(self._suffixes) if self.merge == "concat" else 1)

    @property
    def _suffixes(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    @property
    def _like(self) -> Tensor:
        """A parameter, for dtype and device; faster than `next(self.parameters())`."""
        name, own = next(iter(self._declared)), self._own
        like: Tensor = own[name] if name in own else getattr(self, name)
        return like

    @property
    def _own(self) -> Mapping[str, Tensor]:
        """Parameters that can be had without asking the module, which takes longer; a parametrised one cannot."""
        return {} if is_compiling() else own_parameters(self)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Fill every parameter anew, as its cell declares it (by default as torch.nn does)."""
        units = (cell.hidden_size for cell in self.cells for _ in self._suffixes for _ in cell.parameters())
        for (name, declared), H in zip(self._declared.items(), units, strict=True):
            if is_parametrized(self, name):  # the weight is computed; assigning it sets what it is computed from
                fresh = torch.empty_like(getattr(self, name))
                declared.initialise(fresh, H)
                setattr(self, name, fresh)
            else:
                declared.initialise(self.get_parameter(name), H)

    @property
    def _all_weights(self) -> list[list[str]]:
        """Names of the parameters, a list for each layer and direction; programs that initialise torch.nn's layers read
        it."""
        return [
            [f"{name}_l{index}{suffix}" for name in cell.parameters()]
            for index, cell in enumerate(self.cells)
            for suffix in self._suffixes
        ]

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters, a list for each layer and direction, as torch.nn's layers have them."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def initial_state(self, batch_size: int) -> Any:
        """The state a call without one starts from: each field `[L*S, N, ...]`, of a mixed stack as `Stack` says."""
        stack = self.stack
        return stack.join(stack.initial(batch_size, self._like), _stacked)

    @leaf
    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        lengths: Tensor | None = None,
        # torch.onnx.export passes every default by place, and one that is not None as an input of the graph
        all_states: bool | None = None,
        noise: Sequence[StateNoise] | None = None,
        mask: Tensor | None = None,
        resets: Tensor | None = None,
        reset_to: Any = None,
    ) -> Any:
        """Run over whole sequences.

        Args:
            input: `[T, N, D]`; `[N, T, D]` with batch_first; `[T, D]` for one sequence; or a PackedSequence.
            hx: initial state, each field `[L*S, N, ...]` (without N for one sequence); zeros where None. Where the
                states of the layers of a list differ, the fields of each layer one after the other, `[S, N, ...]`.
            lengths: `[N]` integers from 0 to T: the valid steps of each sequence, padded on the right.
            all_states: also return the state after every step of every layer and direction.
            noise: as `draw_noise` gave it, of these steps, where a sequence is read in several calls; by default drawn
                anew.
            mask: `[T, N]` bool, laid out as the input: False where a step is left out, wherever it lies, in place of
                lengths. The state passes over it.
            resets: `[T, N]` bool, laid out as the input: True where a document or an episode begins. No state and no
                gradient passes from one to the next, in either direction: one that runs from the end starts anew at
                each one's last step. The final state is that of the last (in reverse, of the first).
            reset_to: the state at a reset: "zeros", the default, which a call without `hx` starts from (not zero in a
                few cells); "initial", this call's `hx`; or one like `hx`, such as a learned one, which gets gradients.

        Returns:
            `(output, state)`, or with all_states `(output, state, states)`. The output is `[T, N, S*O]` (`[T, N, O]`
            where directions are merged in another way than "concat"), laid out as the input was, and zero beyond a
            length and where masked unless `hold_output`; the state is that after each sequence's last step, as `hx`.
            Each field of states is `[L*S, T, N, ...]`, whatever `batch_first` and `batch_first_state` say, with N of 1
            for one sequence without a batch.

        Raises:
            TensorError: a shape, dtype or device that does not fit, with what was expected.
        """
        view = shapes.Sequences.of(input, lengths, batch_first=self.batch_first, mask=mask, hold=self.hold_output)
        shapes.check_sequences(view, self.input_size, counted=mask is not None)
        like = self._like
        shapes.check_tensor(view.x, like)
        stack, state = self.stack, None
        if hx is not None:
            batch_first = self.batch_first_state
            state = stack.read(hx, view.batch_size, like, batched=view.batched, batch_first=batch_first)
        restarts = self._restarts(resets, reset_to, view, state)
        run = self.runner or runner(self)
        x = view.x
        finals: list[Any] = []
        history: list[Any] = []
        for layer, cell in enumerate(self.cells):
            outputs = []
            for direction, suffix in enumerate(self._suffixes):
                if state is None:
                    start = cell.initial_state(view.batch_size, like)
                else:
                    start = stack.part(state, layer, direction)
                p = self._weights(cell, f"_l{layer}{suffix}")
                drawn = noise[len(finals)] if noise is not None else self._noise(start, x.shape[0])
                reverse = self.reverse or bool(suffix)
                ran = run(
                    cell,
                    p,
                    x,
                    start,
                    lengths=view.lengths,
                    reverse=reverse,
                    noise=drawn,
                    keep_states=bool(all_states),
                    resets=restarts and restarts.part(stack, layer, direction, reverse, like),
                )
                output, states = ran.output, ran.states
                if view.gaps is not None and layer + 1 == self.num_layers:
                    output = view.gaps.opened(output, reverse, self.hold_output)
                if view.gaps is not None and all_states:
                    states = view.gaps.opened_states(states, start, reverse)
                outputs.append(output)
                finals.append(ran.final)
                history.append(states)
            x = outputs[0] if len(outputs) == 1 else MERGES[self.merge](*outputs)
            if self.dropout and layer + 1 < self.num_layers:
                x = drop(x, self.dropout, self.training, locked=self.locked_dropout)
        final = self._write_state(stack.join(finals, _stacked), view)
        if not all_states:
            return view.restore(x), final
        return view.restore(x), final, stack.join(history, torch.stack)

    def _restarts(self, resets: Tensor | None, to: Any, view: shapes.Sequences, start: Any) -> Restarts | None:
        """Those of a call; `start` is its initial state, as read."""
        if resets is None:
            if to is not None:
                raise TensorError("reset_to is the state at resets: expected resets beside it")
            return None
        if isinstance(to, str):
            if to not in CHOICES:
                raise TensorError(unknown_name("reset_to", to, CHOICES))
            return Restarts.of(resets, view, start if to == "initial" else None)
        if to is not None:
            first, batched = self.batch_first_state, view.batched
            to = self.stack.read(to, view.batch_size, self._like, batched=batched, batch_first=first)
        return Restarts.of(resets, view, to)

    def draw_noise(self, batch_size: int, steps: int) -> list[StateNoise]:
        """Recurrent dropout and zoneout of a whole sequence that is read in several calls, of each layer and direction.

        Args:
            batch_size: N.
            steps: T; `noise.steps(begin, end)` is that of some of them.
        """
        return [self._noise(state, steps) for state in self.stack.initial(batch_size, self._like)]

    def _noise(self, state: Any, steps: int) -> StateNoise:
        if not (self.recurrent_dropout or self.zoneout):
            return StateNoise()
        rates = {"recurrent_dropout": self.recurrent_dropout, "zoneout": self.zoneout}
        return StateNoise.draw(state, steps, training=self.training, **rates)

    def stream(self, batch_size: int, weights: str | None = None) -> Stream:
        """The layer one time step at a time, for inference: `y = stream.step(x_t)`, `[N, D] -> [N, O]`.

        Args:
            batch_size: N, sequences side by side.
            weights: "float32" or "int8", of 8 bits; by default the layer's own `weights`.

        Raises:
            ConfigError: a layer of both directions, or of the reverse one; a batch size below 0; other weights than
                these, or a cell that has no kernel for them.
        """
        return Stream(self, batch_size, weights)

    def _weights(self, cell: Cell, suffix: str) -> dict[str, Tensor]:
        """The parameters of one layer and direction by the cell's names, as this call uses them."""
        names, own = self._names.get(suffix) or cell.parameters(), self._own
        p = {name: own[name + suffix] if name + suffix in own else getattr(self, name + suffix) for name in names}
        if self.weight_drop and self.training:
            p |= {name: drop(p[name], self.weight_drop) for name in form.recurrent_weights(cell)}
        return p

    def _write_state(self, state: Any, view: shapes.Sequences) -> Any:
        if not view.batched or self.batch_first_state:
            fields = [field.transpose(0, 1) if view.batched else field.squeeze(1) for field in state]
            state = tuple(fields) if self._mixed else self.cell.State(*fields)
        return shapes.as_returned(state, as_namedtuple=self.named_state)

    def _shown_first(self) -> tuple[str, ...]:
        return (self.cell.name,) if len(set(map(type, self.cells))) == 1 else tuple(cell.name for cell in self.cells)

    def _options(self) -> dict[str, Any]:
        """The cell's own that differ from their defaults."""
        return options_set(self.cell)

    def extra_repr(self) -> str:
        """What distinguishes this layer in a printed model."""
        shown = [*self._shown_first(), str(self.input_size), str(self.hidden_size)]
        shown += [f"{name}={value}" for name, value in self._options().items()]
        defaults: dict[str, Any] = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        defaults |= {"bidirectional": False, "recurrent_dropout": 0.0, "locked_dropout": False, "weight_drop": 0.0}
        defaults |= {"zoneout": 0.0, "recompute": None, "reverse": False, "merge": "concat", "hold_output": False}
        return ", ".join(shown + [f"{k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v])


def _stacked(fields: tuple[Tensor, ...]) -> Tensor:
    """As torch.stack; one tensor is not copied."""
    return fields[0].unsqueeze(0) if len(fields) == 1 else torch.stack(fields)


def _check_directions(bidirectional: bool, reverse: bool, merge: str) -> None:
    if merge not in MERGES:
        raise ConfigError(unknown_name("merge", merge, MERGES))
    if reverse and bidirectional:
        raise ConfigError("bidirectional=True reads in reverse already: pass it or reverse=True, not both")
    if merge != "concat" and not bidirectional:
        raise ConfigError(f"merge={merge!r} joins two directions: pass bidirectional=True with it")
