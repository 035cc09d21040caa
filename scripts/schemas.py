"""Write docs/schemas from the results' types: `make schemas`. A test holds that what is committed is what this writes.

A field's description stands beside its type; what is left out where it is not there is not required, and `x-when` says
when it is there. The same types give the tables of docs/guides/json.md (docs/hooks.py).
"""

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec.inspect import DataclassType, DictType, Metadata, StructType, Type, UnionType, type_info

from ostinato.api import results
from ostinato.bench.results import CellsMeasured, LanguageMeasured, LayersMeasured
from ostinato.checkpoint.position import SavedTensors, SavedTraining
from ostinato.checkpoint.recorded import (
    AdviceLine,
    LineCounts,
    LineEnd,
    LineFigures,
    LineStart,
    TrainingLine,
    ValidationLine,
)
from ostinato.cli.demo import Demonstrated
from ostinato.cli.serve import ServerEnded
from ostinato.config.inspect import VIEWS
from ostinato.inspection import facts
from ostinato.search.results import Searched
from ostinato.tasks import TRAIN_OPTIONS
from ostinato.testing.results import CheckedCells

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
SIMPLE = {"BoolType": "boolean", "IntType": "integer", "FloatType": "number", "StrType": "string", "NoneType": "null"}


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its name: the file's without ending."""
    found = {
        "find-lr": schema("train TASK --find-lr", results.FoundRate),
        "predict": schema("predict", results.Predicted),
        "generate": schema("generate", results.Generated),
        "plot": schema("plot", results.Plotted),
        "check-cell": schema("check-cell", CheckedCells),
        "info": schema("info", results.Info),
        "runs": schema("runs", results.Runs),
        "import": schema("import", results.Imported),
        "export": schema("export", results.Exported),
        "search": schema("search", Searched),
        "trim": schema("trim", results.TrimmedRuns),
        "serve": schema("serve", ServerEnded),
        "demo": schema("demo", Demonstrated),
        "bench-layers": schema("bench layers", LayersMeasured),
        "bench-cells": schema("bench cells", CellsMeasured),
        "bench-lm": schema("bench lm", LanguageMeasured),
        "metrics-training": of_parts(
            "a line of metrics.jsonl, of training", LineStart, LineFigures, TrainingLine, LineEnd
        ),
        "metrics-validation": of_parts(
            "a line of metrics.jsonl, of a validation", LineStart, LineFigures, ValidationLine, LineEnd
        ),
        "metrics-advice": of_parts("a line of metrics.jsonl, of advice", LineStart, LineCounts, AdviceLine, LineEnd),
        "latest": of_parts("checkpoint/latest.json", SavedTensors, SavedTraining),
    }
    for view in VIEWS:
        own = getattr(facts, f"{view.capitalize()}Facts")
        found[f"inspect-{view}"] = schema(f"inspect RUN {view}", facts.Inspected, own, facts.Files)
        found[f"inspect-{view}"]["properties"]["view"]["enum"] = [view]
    for task in TRAIN_OPTIONS:
        if find_spec(f"ostinato.tasks.{task}.results") is None:
            continue
        own = import_module(f"ostinato.tasks.{task}.results")
        found[f"train-{task}"] = schema(f"train {task}", results.Course, own.Summary, results.Ending[own.Figures])
        found[f"train-{task}"]["properties"]["task"]["enum"] = [task]
        found[f"evaluate-{task}"] = schema("evaluate", own.Figures)
        if answer := [getattr(own, name) for name in ("Answer", "Values") if hasattr(own, name)]:
            found[f"answer-{task}"] = of_parts(f"an answer of predict, task {task}", *answer)
    return found


def schema(command: str, *parts: Any) -> dict[str, Any]:
    """Of what a command prints: the fields of one type after those of the other.

    Args:
        command: its name, behind `ostinato`.
        *parts: the types.
    """
    return of_parts(f"ostinato {command} --json", *parts)


def of_parts(title: str, *parts: Any) -> dict[str, Any]:
    """Of anything that is written: structs, and a dict of what the data name, which is what may be there besides."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    kinds = {part: type_info(part) for part in parts}
    open_ones = {part: kind for part, kind in kinds.items() if isinstance(kind, Metadata | DictType)}
    objects = [of_struct(kind) for part, kind in kinds.items() if part not in open_ones]
    properties = {name: field for each in objects for name, field in each["properties"].items()}
    required = [name for each in objects for name in each["required"]]
    besides: bool | dict[str, Any] = False
    for part, kind in open_ones.items():
        besides = of_type(kind)["additionalProperties"] | {"description": get_args(part)[1]}
    return {**head, "type": "object", "properties": properties, "required": required, "additionalProperties": besides}


def of_struct(kind: Type) -> dict[str, Any]:
    """An object with these fields and no others."""
    assert isinstance(kind, StructType | DataclassType)
    described = descriptions(getattr(kind.cls, "__origin__", kind.cls))
    properties = {}
    for field in kind.fields:
        if field.name not in described:
            raise KeyError(f"{kind.cls}.{field.name}: expected a description beside its type")
        more = field.type.extra_json_schema or {} if isinstance(field.type, Metadata) else {}
        properties[field.encode_name] = of_type(field.type, described[field.name]) | more
    required = [field.encode_name for field in kind.fields if field.required or _has_default(field)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _has_default(field: msgspec.inspect.Field) -> bool:
    """What is not there is UNSET, which is no default here."""
    return field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT


def of_type(kind: Type, description: str = "") -> dict[str, Any]:
    """Any type, as inline as it comes."""
    if isinstance(kind, Metadata):
        return of_type(kind.type, description)
    if isinstance(kind, UnionType):
        return _of_union(kind, description)
    found: dict[str, Any] = {"type": SIMPLE.get(type(kind).__name__, "")}
    if description:
        found["description"] = description
    if isinstance(kind, StructType | DataclassType):
        found |= of_struct(kind)
    elif isinstance(kind, msgspec.inspect.LiteralType):
        found |= {"type": "string", "enum": list(kind.values)}
    elif isinstance(kind, msgspec.inspect.ListType):
        found |= {"type": "array", "items": of_type(kind.item_type)}
    elif isinstance(kind, msgspec.inspect.DictType):
        found["type"] = "object"
        if not isinstance(kind.value_type, msgspec.inspect.AnyType):
            found["additionalProperties"] = of_type(kind.value_type)
    elif not found["type"]:
        raise TypeError(f"no schema for {kind}")
    if getattr(kind, "ge", None) is not None:
        found["minimum"] = kind.ge
    return found


def _of_union(kind: UnionType, description: str) -> dict[str, Any]:
    """A type or null, or simple types."""
    ones = [of_type(member, description) for member in kind.types]
    types = [one["type"] for one in ones if one["type"] != "null"]
    types += ["null"] if len(types) < len(ones) else []
    return {key: value for one in ones for key, value in one.items()} | {"type": types}


def descriptions(cls: type) -> dict[str, str]:
    """What each field of a class, those that it inherits included, is said to be."""
    hints = get_type_hints(cls, include_extras=True)
    parts = {name: get_args(hint) for name, hint in hints.items() if get_origin(hint) is Annotated}
    return {name: text for name, (_, *rest) in parts.items() for text in rest if isinstance(text, str)}


def written(schema: dict[str, Any]) -> str:
    """As the file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, found in schemas().items():
        (FOLDER / f"{name}.json").write_text(written(found), encoding="utf-8")
