"""Values as lines of C++: what is used once stands where it is used, what is used again has a name."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ostinato.compiler.program import Graph

_LONGEST = 100  # characters of an expression, before its parts get names
_SUM, _PRODUCT, _ATOM = range(3)
_COMPARISONS: Mapping[str, str] = {"less": "<", "less_equal": "<=", "equal": "=="}


class Lines:
    """The lines of one function.

    Args:
        graph: all values.
        given: what values are called that are there already.
        words: what others are to be called where they need a name.
    """

    def __init__(self, graph: Graph, given: Mapping[int, str], words: Mapping[int, str]) -> None:
        self.graph, self.words = graph, words
        self.names = dict(given)
        self.given = frozenset(given)
        self.lines: list[str] = []
        self.read: set[int] = set()  # of what is given
        self.taken = {"one", "s", *given.values()}
        self.uses: Counter[int] = Counter()

    def count(self, ends: Collection[int]) -> None:
        """Find out what is used more than once on the way to these values: they come next."""
        self.uses.update(ends)
        seen: set[int] = set()
        waiting = list(ends)
        while waiting:
            at = waiting.pop()
            if at in seen or at in self.given:
                continue
            seen.add(at)
            self.uses.update(self.graph[at].args)
            waiting.extend(self.graph[at].args)

    def assign(self, target: str, at: int) -> None:
        """Give a target its value, which is called so from then on where it had no name."""
        known = at in self.names or self.graph[at].op == "constant"
        text = self.text(at) if known else self._computed(at)[0]
        self.lines.append(f"{target} = {text};")
        if not known:
            self.names[at] = target

    def all(self) -> list[str]:
        """The lines; a one that is used again has a name too."""
        one = f"broadcast({literal(1.0)})"
        if sum(line.count(one) for line in self.lines) < 2:
            return self.lines
        return [f"const V one = {one};", *(line.replace(one, "one") for line in self.lines)]

    def text(self, at: int, least: int = _SUM) -> str:
        """A value as an operand.

        Args:
            at: the value.
            least: how tightly its parts have to hold together: those of a sum, of a product, or as one.
        """
        if at in self.given:
            self.read.add(at)
        if at in self.names:
            return self.names[at]
        if self.graph[at].op == "constant":
            return f"broadcast({literal(self.graph[at].value)})"
        text, holds = self._computed(at)
        if self.uses[at] > 1 or len(text) > _LONGEST:
            return self.variable(at, text)
        return text if holds >= least else f"({text})"

    def variable(self, at: int, text: str) -> str:
        """A variable of that value."""
        self.names[at] = name = self._name(at)
        self.lines.append(f"const V {name} = {text};")
        return name

    def _computed(self, at: int) -> tuple[str, int]:
        op, args = self.graph[at].op, self.graph[at].args
        if (fused := self._fused(at)) is not None:
            return fused, _ATOM
        if op in ("add", "sub"):
            return f"{self.text(args[0])} {'+' if op == 'add' else '-'} {self.text(args[1], _PRODUCT)}", _SUM
        if op == "mul":
            return f"{self.text(args[0], _PRODUCT)} * {self.text(args[1], _ATOM)}", _PRODUCT
        if op == "stopped":
            return self.text(args[0], _ATOM), _ATOM
        if op == "neg":
            return f"-{self.text(args[0], _ATOM)}", _PRODUCT
        if op == "where" and (condition := self._compared(args[0])) is not None:
            return f"select({condition}, {self.text(args[1])}, {self.text(args[2])})", _ATOM
        return call(self.graph, at, [self.text(arg) for arg in args]), _ATOM

    def _is_open(self, at: int) -> bool:
        """Whether a value is still to be computed, for one user."""
        return at not in self.names and self.uses[at] == 1

    def _compared(self, at: int) -> str | None:
        """A comparison that only chooses."""
        sign = _COMPARISONS.get(self.graph[at].op)
        if sign is None or not self._is_open(at):
            return None
        first, second = self.graph[at].args
        return f"{self.text(first, _ATOM)} {sign} {self.text(second, _ATOM)}"

    def _fused(self, at: int) -> str | None:
        """A sum one of whose terms is a product that nobody else wants."""
        node = self.graph[at]
        if node.op not in ("add", "sub"):
            return None
        first, second = node.args
        for product, other in ((first, second), (second, first)):
            if self.graph[product].op == "mul" and self._is_open(product):
                a, b = self.graph[product].args
                minus = node.op == "sub"
                by, factor = (f"-{self.text(a, _ATOM)}" if minus and product == second else self.text(a)), self.text(b)
                c = f"-{self.text(other, _ATOM)}" if minus and product == first else self.text(other)
                return f"fma({by}, {factor}, {c})"
        return None

    def _name(self, at: int) -> str:
        wanted = self.words.get(at) or self._described(at)
        name, number = wanted, 2
        while name in self.taken:
            name, number = f"{wanted}_{number}", number + 1
        self.taken.add(name)
        return name

    def _described(self, at: int) -> str:
        """A name made of those of the operands: dh_o of dh * o."""
        node = self.graph[at]
        words = [self._word(arg) for arg in node.args]
        if node.op == "sub" and self.graph.number(node.args[0]) == 1 and words[1]:
            return f"not_{words[1]}"
        made = "_".join(words if node.op == "mul" else [node.op, *words])
        return made if all(words) and len(made) < 16 else "v"

    def _word(self, at: int) -> str:
        name = self.names.get(at, self.words.get(at, "")).removeprefix("s.")
        return name if name.isidentifier() else ""


def literal(number: float) -> str:
    """A float32 in C++."""
    if number != number:
        return '__builtin_nanf("")'
    if number in (float("inf"), float("-inf")):
        return "__builtin_inff()" if number > 0 else "-__builtin_inff()"
    text = f"{number:.9g}"
    return f"{text}f" if any(c in text for c in ".e") else f"{text}.0f"


_SIGNS: Mapping[str, str] = {"add": "+", "sub": "-", "mul": "*"}
_NAMES: Mapping[str, str] = {
    "smaller": "smaller_of",
    "larger": "larger_of",
    "div": "quotient_of",
    "pow": "power",
    "exp": "exponential_of",
}


# Where the second operand is a number: least_of and most_of let a NaN in their own second operand through.
_BOUNDS: Mapping[str, str] = {"smaller": "least_of", "larger": "most_of"}


def call(graph: Graph, at: int, args: Sequence[str]) -> str:
    """An operation on vectors.

    Args:
        graph: all values.
        at: the operation's.
        args: its operands as they are written.
    """
    op, operands = graph[at].op, graph[at].args
    if op in _SIGNS:
        return f"{args[0]} {_SIGNS[op]} {args[1]}"
    if op == "neg":
        return f"-{args[0]}"
    if op == "stopped":
        return args[0]
    if op in _BOUNDS and (bound := graph.number(operands[1])) is not None and bound == bound:
        return f"{_BOUNDS[op]}({args[1]}, {args[0]})"
    return f"{_NAMES.get(op, op)}({', '.join(args)})"
