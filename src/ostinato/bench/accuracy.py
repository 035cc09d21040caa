"""Whether a side's numbers may be timed: its errors against float64, held against those of another in float32."""

#: A unit in the last place of float32: an error below it is luck, not a measure.
_FLOOR = 1.2e-7
#: How much larger this package's errors may be than the yardstick's own. In "medium" both round the same numbers to
#: bfloat16, and the largest of their errors differ by chance: between two of a single step by a few per cent.
_FACTOR = {"highest": 4.0, "high": 400.0, "medium": 1.25}
#: With weights of 8 bits the numbers are others; what is held here is that they are not far off.
_EIGHT_BITS = 0.05
#: This package's sides.
OURS = ("ostinato", "native", "compiled")
#: Of the gradients of a cell with kinks those numbers count that are nearest, and may be off as a peer's.
SMOOTH_SHARE = 0.99
#: A peer beyond this does not compute the same thing.
_PEER = {"torch-bf16": 0.2, "onnxruntime-int8": 0.2}
_PEER_OTHERWISE = 1e-3


def worst(found: dict[str, float]) -> dict[str, float]:
    """The largest error of an output or final state, and of a gradient where there are any."""
    kinds: dict[str, float] = {}
    for name, error in found.items():
        kind = "gradient" if name.startswith("grad ") else "output"
        kinds[kind] = error if error != error else max(kinds.get(kind, 0.0), error)  # keeps what is not a number
    return kinds


def yardstick(peers: tuple[str, ...], precision: str, dtype: str) -> str:
    """Whose errors this package's are held against."""
    if precision == "medium" or dtype == "bfloat16":
        return "torch-bf16"
    return "torch" if "torch" in peers else "loop"


def fault(
    side: str, found: dict[str, float], own: dict[str, float], precision: str, dtype: str, *, kinks: bool = False
) -> str | None:
    """What is wrong with a side's errors; None where they are within what is allowed.

    Args:
        side: whose errors.
        found: as `worst` returns them.
        own: the yardstick's, the same way.
        precision: of this package's side.
        dtype: of this package's side.
        kinks: whether the cell has any.
    """
    factor = _FACTOR.get("medium" if dtype == "bfloat16" else precision)
    for kind, error in found.items():
        own_allowed = _EIGHT_BITS if factor is None else factor * max(own[kind], _FLOOR)
        allowed = own_allowed if side in OURS else _PEER.get(side, _PEER_OTHERWISE)
        if kinks and kind == "gradient":
            allowed = max(allowed, _PEER_OTHERWISE)
        if not error <= allowed:  # not a number is wrong too
            return f"{kind} off by {error:.2g} of the largest, allowed {allowed:.2g}"
    return None
