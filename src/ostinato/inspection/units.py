"""Units that follow something: which of them tells where in a line, in quotes or in brackets the text is.

After Karpathy, Johnson, Fei-Fei 2015, Visualizing and understanding recurrent networks, arXiv:1506.02078, who found
such cells by eye. And units that stand out where somebody points: that behave otherwise inside of some steps than
outside.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ostinato.core.errors import ConfigError
from ostinato.inspection.arrays import Array

_OPENING, _CLOSING = "([{", ")]}"


def position_in_line(text: str) -> list[int]:
    """Characters since the line began, up to and with each character; 0 for a line's end."""
    return _counted(text, lambda character: character != "\n")


def position_in_word(text: str) -> list[int]:
    """Letters, digits and _ since the word began, up to and with each character; 0 outside of words."""
    return _counted(text, lambda character: character.isalnum() or character == "_")


def indentation(text: str) -> list[int]:
    """Blanks at the beginning of the line that each character is in, as far as they have been read; a tab counts 8."""
    found, depth, leading = [], 0, True
    for character in text:
        if character == "\n":
            depth, leading = 0, True
        elif leading and character in " \t":
            depth += 8 - depth % 8 if character == "\t" else 1
        else:
            leading = False
        found.append(depth)
    return found


def bracket_depth(text: str) -> list[int]:
    """Open brackets `( [ {` after each character; an empty line closes all, as a stray one must not count for ever."""
    found, depth = [], 0
    for before, character in zip(" " + text, text, strict=False):
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth = max(0, depth - 1)
        elif before == character == "\n":
            depth = 0
        found.append(depth)
    return found


#: A comment, or a quotation: from the opening mark to in front of the closing one is a group.
_MARKED = re.compile(
    r"#[^\n]*"
    r'|("""(?:\\.|(?!""").)*)(?:""")?'
    r"|[rbfuRBFU]{0,2}('''(?:\\.|(?!''').)*)(?:''')?"
    r'|("(?:\\.|(?!\n\n)[^"\\])*)"?'
    r"|(“(?:(?!\n\n)[^”])*)”?"
    r"|(?<!\w)[rbfuRBFU]{0,2}('(?:\\.|[^'\\\n]|'(?=\w))*)'",
    re.DOTALL,
)


def inside_quotes(text: str) -> list[bool]:
    """Whether each character is between quotation marks; the opening one is, the closing one is not.

    Three marks in a row open and close a text of several paragraphs; any other quotation ends at an empty line, and one
    in single marks is on one line, so that an apostrophe opens none. A backslash takes a mark its meaning. What is
    behind a # is a comment. Curly double marks count too.
    """
    return _marked(text, quoted=True)


def in_comment(text: str) -> list[bool]:
    """Whether each character is behind a # on its line, outside of quotes."""
    return _marked(text, quoted=False)


def _marked(text: str, *, quoted: bool) -> list[bool]:
    found = [False] * len(text)
    for match in _MARKED.finditer(text):
        if bool(match.lastindex) == quoted:
            begin, end = match.span(match.lastindex or 0)
            found[begin:end] = [True] * (end - begin)
    return found


def before_line_end(text: str) -> list[bool]:
    """Whether a line's end comes next: not in what has been read, so a unit that follows it foresees."""
    return [character == "\n" for character in text[1:]] + [False]


#: What can be followed, by the name shown: a number or a truth for each character.
PROPERTIES: dict[str, Callable[[str], Sequence[float]]] = {
    "position in line": position_in_line,
    "position in word": position_in_word,
    "indentation": indentation,
    "bracket depth": bracket_depth,
    "inside quotes": inside_quotes,
    "in a comment": in_comment,
    "line ends next": before_line_end,
}


def text_properties(
    pieces: Sequence[str], properties: Mapping[str, Callable[[str], Sequence[float]]] = PROPERTIES
) -> dict[str, Array]:
    """What each property is once a token has been read: its value at the token's last character.

    Args:
        pieces: the text of each token; together they are the text.
        properties: by name, of a text: a value for each character.

    Returns:
        `[T]` by name: of bool, or of numbers. A token without text has the value of the one in front of it.
    """
    text = "".join(pieces)
    last = np.maximum(np.cumsum([len(piece) for piece in pieces]) - 1, 0)
    return {name: np.asarray(found(text))[last] for name, found in properties.items()} if text else {}


#: A correlation below which, or an AUC nearer to 0.5 than half of which, is as good as none.
WEAK = 0.2


@dataclass(frozen=True)
class Follower:
    """A unit that follows a property.

    Attributes:
        unit: index.
        score: of the unit on the half of the text that it was *not* chosen on: Pearson's correlation with a number,
            from -1 to 1; for a truth the AUC, the chance that it is higher where it is true than where not, from 0 to 1
            with 0.5 for a unit that knows nothing.
        selection_score: the same figure on the half that it was chosen on, higher by luck alone where units are many.
        measure: "correlation" or "AUC".
    """

    unit: int
    score: float
    selection_score: float
    measure: str

    @property
    def strength(self) -> float:
        """How far `selection_score` is from that of a unit that knows nothing, from 0 to 1."""
        return _strength(self.measure, self.selection_score)

    @property
    def direction(self) -> str:
        """Where the unit is higher: "up", where the property is higher, or holds; "down", where lower or not.

        "none" is near chance: less than `WEAK` of the way from chance to certainty on the half that counts, or halves
        that disagree.
        """
        neutral = 0.5 if self.measure == "AUC" else 0.0
        away, chosen = (one - neutral for one in (self.score, self.selection_score))
        if _strength(self.measure, self.score) < WEAK or away * chosen < 0:
            return "none"
        return "up" if away > 0 else "down"


def followers(values: Array, targets: Mapping[str, Array], count: int = 5) -> dict[str, list[Follower]]:
    """The units that follow each property best: chosen on the first half of the steps, scored on the second.

    Args:
        values: `[T, H]` of any units.
        targets: by name, `[T]` of bool or of numbers.
        count: how many units of each.

    Returns:
        By name, the best first. A property that does not change within either half is left out.
    """
    half = len(values) // 2
    parts = [(slice(None, half), values[:half]), (slice(half, None), values[half:])]
    ranked = [ranks(units) for _, units in parts] if any(t.dtype == bool for t in targets.values()) else []
    found = {}
    for name, target in targets.items():
        if any(len(np.unique(target[steps])) < 2 for steps, _ in parts):
            continue
        if target.dtype == bool:
            first_half, second_half = (
                _auc(units, target[steps]) for (steps, _), units in zip(parts, ranked, strict=True)
            )
        else:
            first_half, second_half = (correlation(units, target[steps]) for steps, units in parts)
        neutral, measure = (0.5, "AUC") if target.dtype == bool else (0.0, "correlation")
        best = np.argsort(-np.abs(first_half - neutral), kind="stable")[:count]
        found[name] = [Follower(int(unit), float(second_half[unit]), float(first_half[unit]), measure) for unit in best]
    return found


def correlation(values: Array, target: Array) -> Array:
    """Pearson's correlation of each unit `[T, H]` with `[T]` numbers; 0 for a unit that does not move."""
    x, y = (v.astype(np.float64) - v.mean(0, dtype=np.float64) for v in (values, target))
    scale = np.sqrt((x**2).sum(0) * (y**2).sum())
    return np.divide(y @ x, scale, out=np.zeros(x.shape[1]), where=scale > 0)


def _strength(measure: str, score: float) -> float:
    return abs(score) if measure == "correlation" else 2 * abs(score - 0.5)


def auc(values: Array, target: Array) -> Array:
    """Area under the ROC curve of each unit `[T, H]` for `[T]` truths: P(true > false) + P(equal) / 2.

    By the rank sum (Mann, Whitney 1947), with mean ranks for equal values.
    """
    return _auc(ranks(values), target)


def _auc(ranked: Array, target: Array) -> Array:
    positive = int(target.sum())
    above = ranked[target].sum(0) - positive * (positive + 1) / 2
    return np.asarray(above / (positive * (len(target) - positive)))


def ranks(values: Array) -> Array:
    """Each unit's place among its own values over time, `[T, H]` from 1 to T; equal values share their mean."""
    found = np.empty(values.shape)
    for unit, column in enumerate(values.T):
        _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
        found[:, unit] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return found


def _counted(text: str, belongs: Callable[[str], bool]) -> list[int]:
    found, count = [], 0
    for character in text:
        count = count + 1 if belongs(character) else 0
        found.append(count)
    return found


@dataclass(frozen=True)
class StandsOut:
    """A unit, and how surely its value tells whether a step is one of those chosen.

    Attributes:
        series: which of the arrays.
        unit: index.
        auc: the chance that it is higher at a chosen step than at another, from 0 to 1; 0.5 knows nothing.
        inside: its mean over the chosen steps.
        outside: its mean over the others.
    """

    series: int
    unit: int
    auc: float
    inside: float
    outside: float


def standing_out(series: Sequence[Array], in_span: Array, top: int = 20) -> list[StandsOut]:
    """The units of several arrays that tell steps of a span from the others best, the best first.

    Where several tell them apart alike, as all do that are always higher there, the one comes first whose means lie
    further apart, in standard deviations of its own.

    Args:
        series: `[T, H]` each; H may differ.
        in_span: `[T]` bool, the steps that are to be told from the others.
        top: how many units.

    Raises:
        ConfigError: the span has all steps, or none.
    """
    if in_span.all() or not in_span.any():
        raise ConfigError(f"expected some of the {len(in_span)} steps, and not all of them")
    found, ranks = list[StandsOut](), list[tuple[float, float]]()
    for number, values in enumerate(series):
        exact = values.astype(np.float64)
        scores, inside, outside = auc(exact, in_span), exact[in_span].mean(0), exact[~in_span].mean(0)
        spread = exact.std(0)
        apart = np.divide(np.abs(inside - outside), spread, out=np.zeros_like(spread), where=spread > 0)
        for unit, (score, high, low, distance) in enumerate(zip(scores, inside, outside, apart, strict=True)):
            found.append(StandsOut(number, unit, float(score), float(high), float(low)))
            ranks.append((-abs(float(score) - 0.5), -float(distance)))
    return [found[place] for place in sorted(range(len(found)), key=ranks.__getitem__)[:top]]
