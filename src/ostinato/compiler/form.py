"""When what is computed: stages between products, loops between reductions, and what is kept for backward."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ostinato.compiler.program import LEAVES, NUMBERS, PLANE, PLANE_ALONE, POINTWISE, READ, READ_ALONE, Graph

_FACTORS = ("product", "back")
# Beyond this, what is kept is what is used, without a search.
_MOST_SEARCHED = 300


@dataclass
class Loop:
    """Values of one width, computed vector by vector. `depth`: how many reductions come before it in its stage."""

    depth: int
    width: int
    nodes: list[int] = field(default_factory=list)


@dataclass
class Stage:
    """What is computed of a row between two levels of products.

    Attributes:
        loops: in order.
        scalars: of each depth, values of width 1 that are computed before its loops.
        depths: of every value that is computed here.
    """

    loops: list[Loop] = field(default_factory=list)
    scalars: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    depths: dict[int, int] = field(default_factory=dict)


@dataclass
class Form:
    """One direction of a step.

    Attributes:
        graph: its values.
        given: those that need not be computed.
        stored: those that have to be written.
        level: of every product, from 1 on; products of the same level depend on nothing between them.
        stage_of: of every value that is computed, and of every given one that is only copied.
        stages: one more than levels.
        over_chunk: how many of the levels are of whole chunks of steps; their stages are the last ones, or the first.
        backward: whether they are the first.
    """

    graph: Graph
    given: frozenset[int]
    stored: frozenset[int]
    level: dict[int, int]
    stage_of: dict[int, int]
    stages: list[Stage]
    over_chunk: int = 0
    backward: bool = False

    @property
    def of_chunks(self) -> range:
        """The stages that whole chunks of steps have."""
        count = len(self.stages)
        return range(self.over_chunk) if self.backward else range(count - self.over_chunk, count)

    @property
    def products(self) -> list[int]:
        """By level."""
        return sorted(self.level, key=lambda at: (self.level[at], at))


def form(
    graph: Graph,
    ends: Iterable[int],
    given: Collection[int],
    apart: Collection[int] = (),
    *,
    backward: bool = False,
    of_steps: Collection[int] = (),
) -> Form:
    """Stages and loops.

    Args:
        graph: the values.
        ends: those that have to be written, or are factors of the weights' gradients.
        given: those that are in memory when a step begins.
        apart: products that whole chunks of steps have: the recurrence does not wait for them.
        backward: whether chunks have them before their steps, or after.
        of_steps: values that have to be written by a step itself.
    """
    ends, known = list(ends), frozenset(given)
    order = graph.needed(ends, known)
    users: dict[int, list[int]] = {at: [] for at in order}
    for at in order:
        if at not in known:
            for arg in graph[at].args:
                users[arg].append(at)
    first = set(apart) if backward else {at for at in order if graph[at].op in _FACTORS and at not in apart}
    ready, level = _levels(graph, order, known, first, of_steps)
    border = max((level[at] for at in level if at in first), default=0)
    latest = {} if backward or not apart else _before_chunk(graph, order, known, level, border)
    stage_of = _stages_of(graph, order, users, ready, level, known, set(ends), latest)
    # numbers among them depend on nothing
    stage_of |= {at: border for at in of_steps if stage_of.get(at, border) < border}
    stages = [Stage() for _ in range(max(level.values(), default=0) + 1)]
    for at in order:
        if at in stage_of:
            _into(graph, stages[stage_of[at]], at, users[at], stage_of)
    for stage in stages:
        stage.loops.sort(key=lambda loop: loop.depth)
    over_chunk = border if backward else len(stages) - 1 - border
    return Form(graph, known, frozenset(ends), level, stage_of, stages, over_chunk if apart else 0, backward)


def _levels(
    graph: Graph, order: Sequence[int], known: Collection[int], first: Collection[int], of_steps: Collection[int]
) -> tuple[dict[int, int], dict[int, int]]:
    """After which level each value can be computed, and of each product its own: those of `first` before all others."""
    ready: dict[int, int] = {}
    level: dict[int, int] = {}
    border = 0
    for turn in (True, False):
        for at in order:
            node = graph[at]
            # what is a step's own no chunk has
            least = border if node.op == "upstream_state" or (at in of_steps and node.op not in NUMBERS) else 0
            before = max([least, *(ready[arg] for arg in node.args if at not in known)])
            ready[at] = before
            if node.op in _FACTORS and at not in known:
                if at not in first:
                    before = max(before, border)
                ready[at] = before + 1
                if turn == (at in first):
                    level[at] = ready[at]
        if turn:
            border = max(level.values(), default=0)
    return ready, level


def _before_chunk(
    graph: Graph, order: Sequence[int], known: Collection[int], level: Mapping[int, int], border: int
) -> dict[int, int]:
    """Of values of a step forward that read what only the step has: its last stage."""
    inner = {at for at in order if graph[at].op == "state" or 0 < level.get(at, 0) <= border}
    return {at: border for at in order if at not in known and not inner.isdisjoint(graph[at].args)}


def put_off(graph: Graph, ends: Iterable[int], after: Iterable[int], given: Collection[int]) -> set[int]:
    """Products of a step forward that may wait for the other steps of a chunk: no state after the step needs them.

    Their factors are values that are computed, which a step can leave in the chunk.

    Args:
        graph: the values.
        ends: all that the step computes.
        after: the state after it.
        given: what is in memory when it begins.
    """
    order = graph.needed(ends)
    products = {at for at in order if graph[at].op == "product"}
    within = products.intersection(graph.needed(after))
    while True:
        off = products - within
        of_step = {at for at in order if graph[at].op == "state"} | within.difference(given)
        waits: set[int] = set()  # for products that are put off
        more: set[int] = set()
        for at in order:
            args = graph[at].args
            if at in off and any(arg in given or arg in of_step or graph[arg].op in LEAVES + NUMBERS for arg in args):
                more.add(at)
            if not waits.isdisjoint(args) and not of_step.isdisjoint(args):  # which only a step has
                more.update(off.intersection(graph.needed([at])))
            if at in off or not waits.isdisjoint(args):
                waits.add(at)
        if not more:
            return off
        within |= products.intersection(graph.needed(more))


def _stages_of(
    graph: Graph,
    order: list[int],
    users: Mapping[int, list[int]],
    ready: Mapping[int, int],
    level: Mapping[int, int],
    given: Collection[int],
    ends: Collection[int],
    at_most: Mapping[int, int],
) -> dict[int, int]:
    """As late as those who use a value allow: what is computed in another stage goes through memory."""
    latest: dict[int, int] = {}
    for at in reversed(order):
        product = at in level
        if not product and (at not in given or at in ends):
            wanted = [level[u] - 1 if u in level else latest[u] for u in users[at]]
            wanted += [at_most[at]] if at in at_most else []
            latest[at] = ready[at] if at in ends else min(wanted, default=ready[at])
        elif product and at in ends:
            latest[at] = level[at]
    for at in order:  # constants and leaves that are operands of a product
        if at not in latest and any(u in level for u in users[at]) and (graph[at].op in ("constant", "vector")):
            latest[at] = min(level[u] - 1 for u in users[at] if u in level)
    return {
        at: stage
        for at, stage in latest.items()
        if graph[at].op not in NUMBERS or at in ends or any(u in level for u in users[at])
    }


def _into(graph: Graph, stage: Stage, at: int, users: list[int], stage_of: Mapping[int, int]) -> None:
    node, here = graph[at], stage_of[at]
    depth = 0
    for arg in node.args:
        if stage_of.get(arg) == here and arg in stage.depths:
            depth = max(depth, stage.depths[arg])
    if node.op in ("sum", "largest"):
        _loop(stage, depth, graph[node.args[0]].width).nodes.append(at)
        stage.depths[at] = depth + 1
        return
    stage.depths[at] = depth
    if node.width == 1:
        stage.scalars[depth].append(at)
    else:
        _loop(stage, depth, node.width).nodes.append(at)


def _loop(stage: Stage, depth: int, width: int) -> Loop:
    for loop in stage.loops:
        if (loop.depth, loop.width) == (depth, width):
            return loop
    stage.loops.append(Loop(depth, width))
    return stage.loops[-1]


def kept(
    graph: Graph,
    forward: Collection[int],
    ends: Iterable[int],
    fixed: Collection[int],
    after: Mapping[int, int],
    made: Collection[int] | None = None,
) -> set[int]:
    """Which values of forward are kept for backward, the others computed again: as cheap as a search by hand finds.

    Args:
        graph: of both directions.
        forward: the values that forward computes, products among them.
        ends: what backward has to compute.
        fixed: values that cannot be computed again, beside the products.
        after: of values after the step, the state before it, for whose sake they are kept where it is needed.
        made: of a step without products of its own, values that the output has anyway; None of others.
    """
    ends = list(ends)
    prices = _Prices(graph, set(fixed), after, made)
    # the largest of a row is equal to one of its numbers only if both are computed together
    never = (*LEAVES, *NUMBERS, "largest")
    candidates = [at for at in graph.needed(ends) if at in forward and graph[at].op not in never]
    among = set(candidates)
    direct = {arg for at in graph.needed(ends) if at not in among for arg in graph[at].args if arg in among}
    kept_values = direct | (among & set(ends)) | {at for at in candidates if graph[at].op == "product" or at in fixed}
    best = prices.total(ends, among, kept_values)
    users = graph.users(ends)
    if len(candidates) > _MOST_SEARCHED:
        return kept_values & set(graph.needed(ends, kept_values))
    improved = True
    while improved:
        improved = False
        for at in reversed(candidates):
            others = [kept_values ^ {at}]
            if not kept_values.isdisjoint(users[at]):  # it in place of what is made of it
                others.append((kept_values | {at}) - set(users[at]))
            for other in others:
                cost = prices.total(ends, among, other)
                if cost < best:
                    kept_values, best, improved = other, cost, True
    return kept_values & set(graph.needed(ends, kept_values))


class _Prices:
    """What it costs to have values of forward again."""

    def __init__(
        self, graph: Graph, fixed: Collection[int], after: Mapping[int, int], made: Collection[int] | None
    ) -> None:
        self.graph, self.fixed, self.after = graph, fixed, after
        self.plane, self.read = (PLANE, READ) if made is None else (PLANE_ALONE, READ_ALONE)
        self.made = frozenset(made or ())
        # their steps after will find them in the output
        self.read_before = {leaf for at, leaf in after.items() if at in self.made}

    def total(self, ends: Iterable[int], among: Collection[int], kept_values: Collection[int]) -> float:
        """Of a choice of what is kept."""
        total, needed = 0.0, self.graph.needed(ends, kept_values)
        states = {at for at in needed if self.graph[at].op == "state"}
        for at in needed:
            node = self.graph[at]
            width = 1.0 if node.width > 1 else 0.1
            if at in kept_values and (at in self.made or self.after.get(at) in states):
                total += self.read * width
            elif at in kept_values or node.op == "state":
                total += (self.read if at in self.read_before else self.plane) * width
            elif node.op == "product" or at in self.fixed:
                total += 1e6
            elif at in among and node.op in POINTWISE:
                total += POINTWISE[node.op].cost * width
            elif at in among:
                total += 8.0
        return total
