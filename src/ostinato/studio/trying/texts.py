"""Of texts: what each word moved, tags, alignment, and what a language model expected at each token."""

import math
import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ostinato.api.run import Run
from ostinato.inspection.candidates import predictions
from ostinato.serving.problems import Problem
from ostinato.studio.trying.asking import able, asked
from ostinato.tasks.contract import Aligns, Generates, ReadsTexts

#: Parts of a text that are left out in turn; of a longer text a part is several words.
_MOST_PARTS = 160
#: Characters of a text at most, and tokens whose candidates are shown.
_LONGEST, _MOST_TOKENS = 20_000, 3_000

Text = Annotated[str, Meta(min_length=1, max_length=_LONGEST)]


class Asked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A text.

    Attributes:
        text: it.
        beam: width of the search, of what writes.
    """

    text: Text
    beam: Annotated[int, Meta(ge=1, le=50)] | None = None


class Read(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A text that a language model has written, or is to read.

    Attributes:
        prompt: what stands in front.
        text: whose tokens are looked at.
        top: candidates at each.
    """

    prompt: Annotated[str, Meta(max_length=_LONGEST)] = ""
    text: Text
    top: Annotated[int, Meta(ge=1, le=20)] = 6


async def words(request: Request) -> Response:
    """What each word moved: `answer`; `parts`, each with its text and what the figures lose without it."""
    return await asked(request, Asked, _words)


def _words(run: Run, body: Asked) -> dict[str, Any]:
    _require_texts(run)
    parts = parts_of(body.text)
    without = [body.text[:begin] + body.text[end:] for begin, end in parts]
    # a text of one word leaves nothing behind
    answer, *others = run.predict([body.text, *(text if text.strip() else "." for text in without)])
    whole = figures(answer)
    moved = [{name: whole[name] - figures(other)[name] for name in whole} for other in others]
    shown = [{"begin": begin, "end": end, "moved": each} for (begin, end), each in zip(parts, moved, strict=True)]
    return {"answer": answer, "figures": whole, "parts": shown}


def parts_of(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end; of very many words, several make a part."""
    found = [match.span() for match in re.finditer(r"\S+", text)]
    several = -(-len(found) // _MOST_PARTS)
    if several < 2:
        return found
    groups = [found[at : at + several] for at in range(0, len(found), several)]
    return [(group[0][0], group[-1][1]) for group in groups]


def figures(answer: Any) -> dict[str, float]:
    """The numbers of an answer: probabilities by class, or what is regressed."""
    if "probabilities" in answer:
        return {name: float(value) for name, value in answer["probabilities"].items()}
    return {name: float(value) for name, value in answer.items() if isinstance(value, int | float)}


async def tags(request: Request) -> Response:
    """The words of a text, each with its tag."""

    def work(run: Run, body: Asked) -> dict[str, Any]:
        _require_texts(run)
        lines = [line.split() for line in body.text.splitlines() if line.strip()]
        answers = run.predict(lines)
        if not answers or not hasattr(answers[0], "tags"):
            raise Problem(409, f"a run of task {run.config['task']!r} gives words no tags")
        sentences = [
            [{"word": word, "tag": tag} for word, tag in zip(answer.words, answer.tags, strict=True)]
            for answer in answers
        ]
        return {"sentences": sentences, "tags": run.config.get("tags", [])}

    return await asked(request, Asked, work)


async def alignment(request: Request) -> Response:
    """What is written from a text, and what attention looked at at each token."""

    def work(run: Run, body: Asked) -> dict[str, Any]:
        task = able(run, Aligns)
        if run.config["model"].get("attention") is None:
            beam: dict[str, Any] = {} if body.beam is None else {"beam": body.beam}
            (text,) = run.predict([body.text], **beam)
            return {"text": text, "source": [], "target": [], "weights": []}
        found = task.align(run, body.text, body.beam)
        text = _joined(run, found.target[:-1])
        return {"text": text, "source": found.source, "target": found.target, "weights": found.weights.tolist()}

    return await asked(request, Asked, work)


def _joined(run: Run, pieces: list[str]) -> str:
    """Tokens as a text."""
    return (" " if run.tokenizer.level == "word" else "").join(pieces).strip()


async def candidates(request: Request) -> Response:
    """Of each token of a text what was thought likelier: `tokens`, each with its text, its probability and the
    candidates."""
    return await asked(request, Read, _candidates)


def _candidates(run: Run, body: Read) -> dict[str, Any]:
    able(run, Generates)
    tokenizer = run.tokenizer
    before, ids = tokenizer.encode(body.prompt), tokenizer.encode(body.prompt + body.text)
    if len(ids) > _MOST_TOKENS:
        raise Problem(422, f"expected at most {_MOST_TOKENS:,} tokens, got {len(ids):,}")
    found = predictions(run.model, ids, start=tokenizer.begin_id, top=min(body.top, tokenizer.size))
    first = len(before) if list(ids[: len(before)]) == list(before) else 0
    shown = [
        {
            "text": tokenizer.decode([int(ids[t])]),
            "p": math.exp(-float(found.losses[t])),
            "candidates": [
                {"text": tokenizer.decode([int(token)]), "p": float(p)}
                for token, p in zip(found.candidates[t], found.probabilities[t], strict=True)
            ],
        }
        for t in range(first, len(ids))
    ]
    return {"tokens": shown, "level": tokenizer.level}


def _require_texts(run: Run) -> None:
    if not (isinstance(run.task, ReadsTexts) and run.task.reads_texts(run)):
        raise Problem(409, f"the run reads no texts, but what it was trained on: {run.config['task']}")


ROUTES = [
    Route("/studio/try/{name}/words", words, methods=["POST"]),
    Route("/studio/try/{name}/tags", tags, methods=["POST"]),
    Route("/studio/try/{name}/alignment", alignment, methods=["POST"]),
    Route("/studio/try/{name}/candidates", candidates, methods=["POST"]),
]
