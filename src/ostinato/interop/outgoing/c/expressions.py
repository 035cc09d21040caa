"""Values of a step as expressions of C, one number at a time."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from ostinato.compiler.program import LEAVES, NUMBERS, Graph
from ostinato.core.errors import ConfigError
from ostinato.interop.outgoing.c.text import literal

_LONGEST = 90  # characters of an expression, before its parts get names
_SUM, _PRODUCT, _ATOM = range(3)

#: What an operation is called, of those that are functions.
FUNCTIONS: Mapping[str, str] = {
    "sigmoid": "sigmoid",
    "tanh": "hyperbolic_tangent",
    "exp": "exponential",
    "expm1": "exponential_less_one",
    "log": "logarithm",
    "log1p": "logarithm_of_one_more",
    "sqrt": "square_root",
    "rsqrt": "reciprocal_root",
    "softplus": "softplus",
    "abs": "absolute",
    "sign": "sign",
    "smaller": "smaller",
    "larger": "larger",
    "erf": "error_function",
    "sin": "sine",
    "cos": "cosine",
    "pow": "power",
}
_SIGNS: Mapping[str, str] = {"less": "<", "less_equal": "<=", "equal": "=="}


class Expressions:
    """Writes values down.

    Args:
        graph: all values.
        read: a number of a value that lies in memory, at a unit; None of one that does not.
        words: what some values are called.
        taken: names that nothing else may have.
        stored: values that lie in memory, though a loop has them.

    Attributes:
        functions: those of mathematics that were called.
    """

    def __init__(
        self,
        graph: Graph,
        read: Callable[[int, str], str | None],
        words: Mapping[int, str],
        taken: set[str],
        stored: Collection[int] = (),
    ) -> None:
        self.graph, self.read, self.words, self.taken, self.stored = graph, read, words, taken, stored
        self.functions: set[str] = set()
        self.scalars: dict[int, str] = {}  # values of width 1 that have a name
        self._inside: dict[int, str] = {}  # of this loop
        self._uses: Counter[int] = Counter()
        self._nodes: frozenset[int] = frozenset()
        self._names: set[str] = set()
        self._lines: list[str] = []

    def scalar(self, at: int) -> list[str]:
        """Lines that give a value of width 1 a name."""
        self._begin((at,))
        if at in self.scalars or self.read(at, "0") is not None:
            return []
        text = self._computed(at)[0]
        self.scalars[at] = self._free(self.words.get(at, "s"), self.taken)
        return [*self._lines, f"const float {self.scalars[at]} = {text};"]

    def single(self, at: int) -> str:
        """A value of width 1, or a number that is the same at every unit."""
        self._begin(())
        return self._text(at)

    def loop(
        self, nodes: Sequence[int], targets: Mapping[int, Sequence[tuple[str, int]]]
    ) -> tuple[list[str], list[str]]:
        """Lines before a loop and of its body, which computes these values and writes some of them."""
        self._begin(nodes)
        for at in nodes:
            self._uses.update(self.graph[at].args)
            self._uses[at] += len(targets.get(at, ()))
        before, stores = list[str](), list[str]()
        for at in nodes:
            node = self.graph[at]
            if node.op in ("sum", "largest"):
                before.append(self._start(at))
                self._lines.append(self._gathered(at))
            elif at in targets:
                others = {array for other in nodes if other != at for array, _ in targets.get(other, ())}
                text = self._stored(at, others)
                for array, begin in targets[at]:
                    stores.append(f"{array}[{f'{begin} + ' if begin else ''}j] = {text};")
        return before, [*self._lines, *stores]

    def _stored(self, at: int, others: Collection[str]) -> str:
        """What is written: in a variable where others use it too, or where it reads what others overwrite."""
        if self._uses[at] > 1 or self._lies(at):
            return self._text(at)
        text = self._computed(at)[0]
        return self._variable(at, text) if any(f"{array}[" in text for array in others) else text

    def _begin(self, nodes: Sequence[int]) -> None:
        self._inside, self._uses, self._nodes = {}, Counter(), frozenset(nodes)
        self._lines, self._names = [], set()

    def _start(self, at: int) -> str:
        self.scalars[at] = self._free("total" if self.graph[at].op == "sum" else "largest", self.taken)
        return f"float {self.scalars[at]} = {'0.0f' if self.graph[at].op == 'sum' else '-3.4e38f'};"

    def _gathered(self, at: int) -> str:
        name, value = self.scalars[at], self._text(self.graph[at].args[0])
        if self.graph[at].op == "sum":
            return f"{name} += {value};"
        self.functions.add("larger")
        return f"{name} = larger({name}, {value});"

    # Expressions.

    def _text(self, at: int, least: int = _SUM) -> str:
        node = self.graph[at]
        if node.op == "constant":
            return literal(node.value) if node.value >= 0 or least < _PRODUCT else f"({literal(node.value)})"
        if node.op == "reciprocal":
            return literal(1 / node.value)
        if at in self._inside:
            return self._inside[at]
        if at in self.scalars:
            return self.scalars[at]
        if self._lies(at) and (lies := self.read(at, "j")) is not None:
            return lies
        if node.op == "expand" or node.op == "stopped":
            return self._text(node.args[0], least)
        if node.op in LEAVES or node.op in NUMBERS:
            raise AssertionError(f"value {at} {node} is nowhere")
        text, holds = self._computed(at)
        if self._uses[at] > 1 or len(text) > _LONGEST or at in self.words:
            return self._variable(at, text)
        return text if holds >= least else f"({text})"

    def _variable(self, at: int, text: str) -> str:
        name = self._free(self.words.get(at, "v"), self.taken | self._names)
        self._names.add(name)
        self._inside[at] = name
        self._lines.append(f"const float {name} = {text};")
        return name

    def _lies(self, at: int) -> bool:
        """Whether a value is not computed here."""
        return at not in self._nodes or at in self.stored or self.graph[at].op in ("product", *NUMBERS, *LEAVES)

    def _free(self, wanted: str, taken: set[str]) -> str:
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        if taken is self.taken:
            self.taken.add(name)
        return name

    def _computed(self, at: int) -> tuple[str, int]:
        op, args = self.graph[at].op, self.graph[at].args
        if op in ("add", "sub"):
            return f"{self._text(args[0])} {'+' if op == 'add' else '-'} {self._text(args[1], _PRODUCT)}", _SUM
        if op in ("mul", "div"):
            sign = "*" if op == "mul" else "/"
            return f"{self._text(args[0], _PRODUCT)} {sign} {self._text(args[1], _ATOM)}", _PRODUCT
        if op == "neg":
            return f"-{self._text(args[0], _ATOM)}", _PRODUCT
        if op == "tanh_slope":
            one = self._text(args[0], _ATOM)
            return f"1.0f - {one} * {one}", _SUM
        if op in _SIGNS:
            return f"({self._compared(at)} ? 1.0f : 0.0f)", _ATOM
        if op == "where":
            condition = args[0]
            test = self._compared(condition) if self._is_open(condition) else f"{self._text(condition, _ATOM)} != 0.0f"
            return f"({test} ? {self._text(args[1])} : {self._text(args[2])})", _ATOM
        if op not in FUNCTIONS:
            raise ConfigError(f"--to c: there is no function of C for {op}; --to onnx takes every cell")
        self.functions.add(FUNCTIONS[op])
        return f"{FUNCTIONS[op]}({', '.join(self._text(arg) for arg in args)})", _ATOM

    def _is_open(self, at: int) -> bool:
        return self.graph[at].op in _SIGNS and at not in self._inside and self._uses[at] <= 1 and at in self._nodes

    def _compared(self, at: int) -> str:
        first, second = self.graph[at].args
        return f"{self._text(first, _ATOM)} {_SIGNS[self.graph[at].op]} {self._text(second, _ATOM)}"
