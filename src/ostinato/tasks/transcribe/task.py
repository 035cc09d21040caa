"""transcribe: sequences of numbers in, the symbols that they mean out."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Count
from ostinato.core.results import builtins
from ostinato.data.batching.buckets import Buckets, in_length_order
from ostinato.data.labelled.examples import Example, Raw, with_labels
from ostinato.data.labelled.reading import LabelledColumns, SequenceCodec, read_all_labelled, read_labelled
from ostinato.data.labelled.sequences import Scale
from ostinato.losses.alignment import ctc_loss
from ostinato.tasks.card import CardFacts, files_of, valid_source
from ostinato.tasks.contract import Progress, Task
from ostinato.tasks.sequence_task import ReadsSequences
from ostinato.tasks.trained import Trained, summed_up
from ostinato.tasks.transcribe import in_c, portable
from ostinato.tasks.transcribe.data import (
    Part,
    PreparedFrames,
    TranscribeCodec,
    part_of,
    prepare_frames,
    record_of,
    require_frames,
)
from ostinato.tasks.transcribe.figures import error_figures, transcripts, validation
from ostinato.tasks.transcribe.model import Transcriber
from ostinato.tasks.transcribe.options import BEAM, AskTranscribe, TrainTranscribe
from ostinato.tasks.transcribe.results import Answer, Figures, Summary
from ostinato.training import ALONE, Job, Processes

#: Passes over the data where no option says how many.
EPOCHS = 40

#: Sequences in a batch at most, where no option says how many.
BATCH = 32


class Transcription(ReadsSequences):
    """Many to many, not aligned."""

    RECORDED: Mapping[str, Any] = {
        "symbols": list[str],
        "words": bool,
        "columns": dict[str, Any],
        "scale.mean": list[float],
        "scale.deviation": list[float],
        "data.train.examples": Count,
        "data.held_out": bool,
    }

    def prepare(
        self, options: TrainTranscribe, progress: Progress | None = None, codec: TranscribeCodec | None = None
    ) -> PreparedFrames:
        """Read, split, learn symbols and scale, encode."""
        columns = LabelledColumns(options.label, None, options.id, options.time, options.value_columns)
        require_frames([*options.data, *(one for one in (options.valid, options.test) if one is not None)], columns)
        whole = with_labels(read_all_labelled(options.data, columns))
        valid = None if options.valid is None else with_labels(read_labelled(options.valid, columns))
        prepared = prepare_frames(options, columns, whole, valid, codec)
        if options.test is not None:
            prepared.data["test"] = record_of(with_labels(read_labelled(options.test, columns)))
        return prepared

    def configuration(self, options: TrainTranscribe, prepared: PreparedFrames) -> dict[str, Any]:
        """Sizes, symbols, scale, columns, records of the data."""
        codec, scale = prepared.codec, prepared.codec.reads.scale
        assert scale is not None
        columns = codec.columns
        return {
            "model": {
                "features": len(scale.mean),
                "symbols": len(codec.symbols),
                "bidirectional": options.bidirectional,
                **options.model.layer_settings(),
            },
            "symbols": list(codec.symbols),
            "words": codec.words,
            "columns": {"label": columns.label, "id": columns.id, "time": columns.time, "values": list(columns.values)},
            "scale": {"mean": list(scale.mean), "deviation": list(scale.deviation)},
            "data": prepared.data,
        }

    def files(self, prepared: PreparedFrames) -> Mapping[str, bytes]:
        """None."""
        return {}

    def build(self, config: Mapping[str, Any]) -> Transcriber:
        """A model from a run's configuration."""
        return Transcriber(**config["model"])

    def job(
        self, options: TrainTranscribe, model: nn.Module, prepared: PreparedFrames, processes: Processes = ALONE
    ) -> Job:
        """What the loop needs, for one process of several."""
        train, valid, training = prepared.train, prepared.valid, options.training
        size = training.batch_of(len(train.frames), BATCH)
        rank, world = processes.rank, processes.size
        batches = Buckets(train.lengths, size, train.batch, train.counts, training.seed, rank, world)
        held = [valid.batch(rows) for rows in in_length_order(valid.lengths, size)]
        return Job(
            model=model,
            loss=lambda output, batch: ctc_loss(output.logits, batch.targets, output.lengths),
            batches=batches,
            validate=lambda trained: validation(trained, valid, held, prepared.codec),
            validation_share=sum(valid.counts) / batches.tokens,
            best="error_rate",
            unit="symbols",
            epochs=EPOCHS,
        )

    def describe(self, model: nn.Module, prepared: PreparedFrames) -> str:
        """Sequences, frames, symbols, parameters."""
        train, codec = prepared.train, prepared.codec
        what = "words" if codec.words else "characters"
        where = ", a tenth of all" if prepared.data["held_out"] else ""
        return (
            f"{len(train.frames):,} sequences of {sum(train.lengths):,} frames to train on, "
            f"{len(prepared.valid.frames):,} to validate on{where}; {len(codec.symbols)} different {what}, "
            f"{sum(p.numel() for p in model.parameters()):,} parameters"
        )

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> TranscribeCodec:
        """Symbols, columns and scale."""
        columns = LabelledColumns(**config["columns"] | {"values": tuple(config["columns"]["values"])})
        scale = Scale(tuple(config["scale"]["mean"]), tuple(config["scale"]["deviation"]))
        return TranscribeCodec(SequenceCodec(columns, None, None, scale), tuple(config["symbols"]), config["words"])

    def evaluate(
        self, run: Trained, sources: Iterable[str], options: AskTranscribe, progress: Progress | None = None
    ) -> Figures:
        """The figures of `error_figures`, of what a beam finds."""
        codec: TranscribeCodec = run.codec
        raw = with_labels(read_all_labelled(list(sources), codec.columns))
        part = part_of(codec, raw)
        found = transcripts(run.model, part, _beam(options), progress)
        written = [codec.parts(codec.text(each.symbols)) for each in found]
        expected = [symbol for label in part.expected for symbol in label]
        unknown = sum(symbol not in set(codec.symbols) for symbol in expected) / max(len(expected), 1)
        distinct = len(set(map(tuple, written)))
        figures = error_figures(written, part.expected)
        return Figures(examples=len(raw), **figures, distinct=distinct, unknown=unknown)

    def answer(
        self, run: Trained, examples: Iterable[Example], options: AskTranscribe, progress: Progress | None = None
    ) -> Iterator[dict[str, Any]]:
        """The transcript of each, with its log-probability; where sequences have ids, with the id."""
        if not (examples := list(examples)):
            return
        frames = run.codec.reads.encode(Raw.of(examples))
        part = Part(frames, [[]] * len(frames), [[]] * len(frames))
        for example, found in zip(examples, transcripts(run.model, part, _beam(options), progress), strict=True):
            answer = Answer(text=run.codec.text(found.symbols), log_probability=found.log_probability)
            if example.key is not None:
                answer.id = example.key
            yield builtins(answer)

    metadata, graphs = staticmethod(portable.metadata), staticmethod(portable.graphs)
    program, sample = staticmethod(in_c.program), staticmethod(in_c.sample)
    described = staticmethod(portable.described)

    def summary(self, run: Trained) -> Summary:
        """Symbols trained on, and the validation with the fewest errors."""
        return summed_up(Summary, run, symbols=run.folder.resume_point.position().tokens)

    def card(self, run: Trained) -> CardFacts:
        """What was trained, on what, how well, and how to use it."""
        sizes, data, symbols = run.config["model"], run.config["data"], run.codec.symbols
        best = run.folder.resume_point.position().best_figures
        tested = None
        if run.test is not None:
            tested = f"{files_of(data['test'])} ({run.test['examples']:,} sequences), {_figures_line(run.test)}"
        return CardFacts(
            title=f"Transcriber ({sizes['cell']}, {sizes['features']} channels)",
            model=f"{sizes['num_layers']} x {sizes['hidden_size']} units",
            about=[f"symbols: {' '.join(symbols[:40])}{' ...' if len(symbols) > 40 else ''}"],
            trained_on=f"{files_of(data['train'])} ({data['train']['examples']:,} sequences)",
            validated_on=valid_source(data, "a tenth of the sequences"),
            best=_figures_line(best),
            tested=tested,
            use='run.predict("new.csv")',
        )


TASK: Task[TrainTranscribe, PreparedFrames] = Transcription()


def _beam(options: AskTranscribe) -> int:
    return BEAM if options.beam is None else options.beam


def _figures_line(figures: Mapping[str, float]) -> str:
    """Figures as the card has them."""
    return f"error rate {figures['error_rate']:.4f}, exact match {figures['exact_match']:.4f}"
