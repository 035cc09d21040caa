"""What tasks of one answer to a whole sequence do alike: read, write, tell of a run."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import UNSET
from torch import nn

from ostinato.core.errors import DataError
from ostinato.core.results import Result
from ostinato.data.batching.splits import HELD_OUT, held_out
from ostinato.data.labelled.examples import Example, Raw, selected
from ostinato.data.labelled.reading import read_labelled
from ostinato.models.many_to_one import ManyToOne
from ostinato.models.transfer import give_layers, give_rows
from ostinato.tasks.card import CardFacts, files_of
from ostinato.tasks.embedding import words_in
from ostinato.tasks.lending import Lent
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.pretraining import pretraining
from ostinato.tasks.trained import AnyRun, Trained, changed, summed_up
from ostinato.tasks.typed import waves

Summary = TypeVar("Summary", bound=Result)


class ReadsSequences:
    """Parts of a `Task` whose codec has a `SequenceCodec` as `reads`, and whose answers are rows, one a sequence."""

    def read(self, run: Trained, source: str) -> Iterator[Example]:
        """Texts or sequences of numbers."""
        return read_labelled(source, run.codec.reads.columns, labels=False).examples()

    def reading(self, run: AnyRun, given: Mapping[str, Any]) -> AnyRun:
        """The run as it is, with columns of other names."""
        return changed(run, codec=run.codec.renamed(**given))

    def lines(self, run: Trained, answers: Iterable[Any]) -> Iterator[str]:
        """One JSON object a line."""
        return (json.dumps(answer, ensure_ascii=False) for answer in answers)

    def rows(self, run: Trained, answers: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """What each answer says, by name; what is no JSON gives each a column of its own."""
        return iter(answers)


class SequenceTask(ReadsSequences):
    """The same where there is one answer to a whole sequence, and what it can do besides."""

    BORROWED = frozenset({"cell", "layers", "hidden", "embed", "cell_options", "level", "vocab_size"})

    pretraining = staticmethod(pretraining)

    def borrow(self, model: nn.Module, codec: Any, lent: Lent) -> None:
        """The embedding, and the layers that read forward."""
        assert isinstance(model, ManyToOne)
        assert isinstance(model.input, nn.Embedding)  # of texts: a codec that a language model lent reads nothing else
        give_rows(model.input.weight, lent.embedding)
        give_layers(model.recurrent, lent.recurrent)

    def files(self, prepared: Prepared[Any, Any, Any]) -> Mapping[str, bytes]:
        """The tokenizer, where there is text."""
        tokenizer = prepared.codec.tokenizer
        return {} if tokenizer is None else {"tokenizer.json": tokenizer.to_json().encode()}

    def embeddings(self, codec: Any) -> Mapping[str, Mapping[str, int]]:
        """That of the words."""
        return {"input": words_in(codec.tokenizer)}

    def labelled(self, run: Trained, sources: Sequence[str]) -> Raw:
        """Texts or sequences of numbers, those alone of which it is known what is to be learned."""
        raise NotImplementedError

    def validated(self, run: Trained) -> Raw:
        """The examples that the run was validated on, from the files that they came from.

        Raises:
            DataError: they are not there, or not what they were.
        """
        data, options = run.config["data"], run.config["options"]
        files = data["valid"]["files"]
        if data["held_out"] and "shards" in data["train"]:
            raise DataError(f"{', '.join(files)}: too large to be read as a whole; give some of it in a file")
        whole = self.labelled(run, files)
        if whole.digest != data["valid"]["sha256"]:
            raise DataError(f"{', '.join(files)}: no longer what the run was validated on")
        if not data["held_out"]:
            return whole
        share = options["hold_out"] if options.get("hold_out") is not None else HELD_OUT
        alike = whole.targets is None and whole.several is None  # of every label
        strata = [str(label) for label in whole.labels] if alike else None
        return selected(whole, held_out(len(whole), options["seed"], share=share, strata=strata)[1].tolist())

    def reads_texts(self, run: Trained) -> bool:
        """Not one that reads numbers."""
        return run.codec.tokenizer is not None

    def example(self, run: Trained) -> str:
        """Numbers like those trained on; no text."""
        scale = run.codec.reads.scale
        return "" if scale is None else waves(scale.mean, scale.deviation, 24)


def training_of(kind: type[Summary], run: Trained, **own: Any) -> Summary:
    """Examples trained on, and the best validation; no figures of what was trained on."""
    found = summed_up(kind, run, examples=run.folder.resume_point.position().tokens, **own)
    if not run.config["data"].get("validated", True):
        for name in kind.__struct_fields__:
            if name.startswith("valid_"):
                setattr(found, name, UNSET)
    return found


def card_of(run: Trained, what: str, about: list[str], held: str, best: str, tested: str | None) -> CardFacts:
    """The model card: `what` the task makes, lines `about` it, how examples were `held` out, figures of the `best`
    validation and of the test data."""
    data, reads, sizes = run.config["data"], run.codec.reads, run.config["model"]
    read = f"a vocabulary of {reads.tokenizer.size:,}" if reads.tokenizer else f"{len(reads.scale.mean)} channels"
    if tested is not None and run.test is not None:
        tested = f"{files_of(data['test'])} ({run.test['examples']:,} examples), {tested}"
    return CardFacts(
        title=f"{what} ({sizes['cell']}, {read})",
        model=f"{sizes['num_layers']} x {sizes['hidden_size']} units",
        about=about,
        trained_on=f"{files_of(data['train'])} ({data['train']['examples']:,} examples)",
        validated_on=_measured_on(data, held),
        best=best,
        tested=tested,
        use='run.predict("new.csv")',
    )


def _measured_on(data: Mapping[str, Any], held: str) -> str:
    """What validation figures are of."""
    if not data.get("validated", True):
        return "no validation (too few examples to hold some out); of those trained on"
    where = held if data["held_out"] else f"of {files_of(data['valid'])}"
    return f"validation: {data['valid']['examples']:,} examples {where}"
