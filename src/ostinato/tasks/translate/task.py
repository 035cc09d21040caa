"""translate: pairs of texts, from files to BLEU and to other texts."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Count
from ostinato.checkpoint.recorded import Positive
from ostinato.core.errors import ConfigError
from ostinato.data.batching.buckets import Buckets, in_length_order, pad_ids
from ostinato.data.corpora.batches import ShardedBuckets
from ostinato.data.text.pairs import open_pairs, read_sources
from ostinato.data.text.tokenizer import TextCodec, Tokenizer
from ostinato.data.text.unknown_words import unknown_note
from ostinato.decoding import best_sequences
from ostinato.evaluation import perplexity
from ostinato.evaluation.decoded import decoded_loss
from ostinato.losses import decoded_cross_entropy
from ostinato.models.ensemble import WriterEnsemble
from ostinato.plots.alignment import alignment_matrix
from ostinato.plots.style import available
from ostinato.tasks.card import CardFacts, files_of, valid_source
from ostinato.tasks.contract import Alignment, Progress, Task
from ostinato.tasks.embedding import words_in
from ostinato.tasks.sharded import InShards, count_of, shown
from ostinato.tasks.trained import AnyRun, Trained, best_loss, changed, require_alike, summed_up
from ostinato.tasks.translate import portable
from ostinato.tasks.translate.adopting import SOURCE_FILE, USED, adopt
from ostinato.tasks.translate.borrowing import BORROWED, borrow
from ostinato.tasks.translate.codec import PairCodec
from ostinato.tasks.translate.data import EncodedPairs, Sampled
from ostinato.tasks.translate.figures import score_translations
from ostinato.tasks.translate.model import Seq2Seq
from ostinato.tasks.translate.options import BEAM, AskTranslate, TrainTranslate
from ostinato.tasks.translate.preparing import PreparedPairs, layout_of, prepare_pairs, tell_unknown
from ostinato.tasks.translate.results import Figures, Summary
from ostinato.tasks.translate.typed import example, typed
from ostinato.training import ALONE, Job, Processes

#: Texts translated at once.
AT_ONCE = 64


class Translation:
    """A text in, another text out."""

    RECORDED: Mapping[str, Any] = {
        "decoding.max_length": Positive,
        "decoding.length_penalty": float,
        "separator": str | None,
        "data.train.pairs": Count,
        "data.valid.pairs": Count,
        "data.held_out": bool,
    }

    def prepare(
        self, options: TrainTranslate, progress: Progress | None = None, codec: PairCodec | TextCodec | None = None
    ) -> PreparedPairs:
        """Read, split and tokenise."""
        return prepare_pairs(options, progress, codec)

    def configuration(self, options: TrainTranslate, prepared: PreparedPairs) -> dict[str, Any]:
        """The model's sizes, records of the pairs, and how to decode."""
        codec, own, shared = prepared.codec, options.model, options.model.at_level(options.tokens.level)
        model = {
            "source_vocab": codec.source.size,
            "target_vocab": codec.target.size,
            "embed_size": shared.embed,
            "bidirectional": own.bidirectional,
            "reverse": own.reverse,
            "peeky": own.peeky,
            "attention": None if own.attention == "none" else own.attention,
            "input_feeding": own.input_feeding,
            "tied": own.tied,
            "shared": options.one_vocabulary,
            **shared.layer_settings(),
            **({"copy": True} if own.copy else {}),
            **({"coverage": True} if own.coverage else {}),
        }
        layout = prepared.more.layout
        decoding = {"max_length": options.max_length, "length_penalty": options.length_penalty}
        return {
            "model": model,
            "data": prepared.data,
            "decoding": decoding,
            "separator": layout.separator,
            "columns": layout.columns,
        }

    def files(self, prepared: PreparedPairs) -> Mapping[str, bytes]:
        """The tokenizers."""
        codec = prepared.codec
        found = {"tokenizer.json": codec.target.to_json().encode()}
        return found if codec.source is codec.target else found | {SOURCE_FILE: codec.source.to_json().encode()}

    def build(self, config: Mapping[str, Any]) -> Seq2Seq:
        """A model from a run's configuration."""
        return Seq2Seq(**config["model"])

    def job(
        self, options: TrainTranslate, model: nn.Module, prepared: PreparedPairs, processes: Processes = ALONE
    ) -> Job:
        """What the loop needs, for one process of several."""
        training, pairs = options.training, prepared.train
        size, counts = training.batch_of(len(pairs)), shown(pairs).counts
        buckets: Buckets | ShardedBuckets
        if isinstance(pairs, InShards):
            buckets = pairs.batches(size, training.seed, processes)
        else:
            place = (processes.rank, processes.size)
            buckets = Buckets(pairs.lengths, size, pairs.batch, counts, training.seed, *place)
        sampled = Sampled(buckets, options.scheduled_sampling) if options.scheduled_sampling else buckets
        valid = [prepared.valid.batch(rows) for rows in in_length_order(prepared.valid.lengths, AT_ONCE)]
        return Job(
            model=model,
            loss=partial(decoded_cross_entropy, label_smoothing=options.smoothing, coverage=options.model.coverage),
            batches=sampled,
            validate=lambda trained: decoded_loss(trained, valid),
            figure=("perplexity", perplexity),
            validation_share=float(prepared.valid.counts.sum()) / (len(pairs) * float(counts.mean())),
            smoothed=options.smoothing > 0,
        )

    def describe(self, model: nn.Module, prepared: PreparedPairs) -> str:
        """Pairs, vocabularies, parameters."""
        codec = prepared.codec
        held = ", held out" if isinstance(prepared.train, InShards) else ", a tenth of all"
        where, there = held if prepared.data["held_out"] else "", prepared.data["valid"]["pairs"]
        if len(prepared.valid) < there:
            where += f" (by {len(prepared.valid):,} of them, while training)"
        sizes = {codec.source.size, codec.target.size} if codec.source is not codec.target else {codec.target.size}
        return (
            f"{count_of(prepared.train, 'pairs')}, {there:,} to validate on{where}; vocabulary "
            f"{' and '.join(f'{size:,}' for size in sizes)}{unknown_note(prepared.data)}, "
            f"{sum(p.numel() for p in model.parameters()):,} parameters"
        )

    def finish(self, run: Trained, prepared: PreparedPairs) -> None:
        """Draw what attention looks at, where there is attention, and matplotlib to draw with."""
        if run.config["model"]["attention"] is None or not available():
            return
        for number, (source, _) in enumerate(prepared.more.drawn, 1):
            found = self.align(run, source)
            alignment_matrix(found.weights, found.source, found.target, run.folder.path / f"alignment-{number}.png")

    def embeddings(self, codec: PairCodec) -> Mapping[str, Mapping[str, int]]:
        """Those of the words, source first."""
        target = {"decoder.embedding": words_in(codec.target)}
        return target if codec.source is codec.target else {"encoder.embedding": words_in(codec.source)} | target

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> PairCodec:
        """The tokenizers."""
        target = Tokenizer.load(folder.tokenizer)
        reads = config.get("reads", {}) | {"copies": config["model"].get("copy", False)}
        if config["model"].get("shared"):
            return PairCodec(target, target, **reads)
        return PairCodec(Tokenizer.load(folder.path / SOURCE_FILE), target, **reads)

    def evaluate(
        self, run: Trained, sources: Iterable[str], options: AskTranslate, progress: Progress | None = None
    ) -> Figures:
        """Of what the model writes: examples, bleu, chrf, exact_match, and the signatures of the first two."""
        pairs = open_pairs(list(sources), layout_of(run))
        unknown = run.codec.unknown(run.codec.encode(pairs))
        able = "can copy them, no more" if run.codec.copies else "can neither read nor write them"
        tell_unknown(pairs, unknown, run.codec, f"the model {able}")
        written = self._translate(run, pairs.sources, progress, options.beam)
        return Figures(**score_translations(written, pairs.targets) | unknown)

    def read(self, run: Trained, source: str) -> tuple[str, ...]:
        """Texts, one a line; of pairs the sources."""
        return read_sources(source, layout_of(run))

    def answer(
        self, run: Trained, examples: Iterable[str], options: AskTranslate, progress: Progress | None = None
    ) -> Iterator[str]:
        """A text for each; an empty one for an empty text."""
        return iter(self._translate(run, tuple(examples), progress, options.beam))

    def reading(self, run: AnyRun, given: Mapping[str, Any]) -> AnyRun:
        """The run as it is, with pairs that stand otherwise in their file."""
        # columns leave no separator, and the other way round
        named = {"columns": None, "separator": None, **given, "columns_named": "columns" in given}
        return changed(run, config=run.config | named)

    def together(self, runs: Sequence[Trained]) -> nn.Module:
        """The mean of the next token's probabilities, searched together; their vocabularies must be the same."""
        codecs: list[PairCodec] = [run.codec for run in runs]
        require_alike("the vocabulary", [(own.source.to_json(), own.target.to_json()) for own in codecs])
        require_alike("how sources are written", [(own.ends, own.width) for own in codecs])
        require_alike("--copy", [own.copies for own in codecs])
        return WriterEnsemble([run.model for run in runs])

    adopt, ADOPTING = staticmethod(adopt), USED
    borrow, BORROWED = staticmethod(borrow), BORROWED

    def reads_texts(self, run: Trained) -> bool:
        """Each does."""
        return True

    def lines(self, run: Trained, answers: Iterable[str]) -> Iterator[str]:
        """One a line."""
        return (" ".join(answer.splitlines()) for answer in answers)

    def align(self, run: Trained, text: str, beam: int | None = None) -> Alignment:
        """Translate a text, and see what attention looked at.

        Raises:
            ConfigError: the model has no attention.
        """
        if run.config["model"]["attention"] is None:
            raise ConfigError(f"{run.folder.path}: the model has no attention to show")
        codec: PairCodec = run.codec
        (source,) = codec.encode_sources([text])
        places, lacking = codec.copied(text, source)
        (target,) = self._search(run, [source], beam, [places] if codec.copies else None)
        pairs = EncodedPairs([source], [np.array(target, np.int64)])
        batch = (codec.to_copy(pairs, [places]) if codec.copies else pairs).batch(np.zeros(1, np.int64))
        with torch.no_grad():
            weights = run.model(batch.inputs, **batch.arguments()).attention[:, 0]
        read = [codec.source.decode([token]) for token in (source[:-1] if codec.ends else source).tolist()]
        written = [codec.written([token], lacking) for token in target]
        return Alignment([*read, *["<eos>"][: codec.ends]], [*written, "<eos>"], weights)

    metadata, graphs = staticmethod(portable.metadata), staticmethod(portable.graphs)
    described = staticmethod(portable.described)
    typed, example = staticmethod(typed), staticmethod(example)

    def summary(self, run: Trained) -> Summary:
        """Tokens trained on, and the lowest validation loss."""
        tokens, loss = run.folder.resume_point.position().tokens, best_loss(run)
        return summed_up(Summary, run, tokens=tokens, valid_loss=loss, valid_perplexity=perplexity(loss))

    def card(self, run: Trained) -> CardFacts:
        """What was trained, on what, how well, and how to use it."""
        sizes, data, test = run.config["model"], run.config["data"], run.test
        attention = f"attention {sizes['attention']}" if sizes["attention"] else "no attention"
        tested = None
        if test is not None:
            found = f"BLEU {test['bleu']:.1f}, chrF {test['chrf']:.1f}, exact match {test['exact_match']:.4f}"
            tested = f"{files_of(data['test'])}, {found} ({test['bleu_signature']})"
        return CardFacts(
            title=f"Translation ({sizes['cell']}, level {run.tokenizer.level})",
            model=f"Encoder and decoder of {sizes['num_layers']} x {sizes['hidden_size']} units, {attention}, "
            f"vocabulary {sizes['target_vocab']:,}",
            trained_on=f"{files_of(data['train'])} ({data['train']['pairs']:,} pairs)",
            validated_on=valid_source(data, "a tenth of the pairs", "pairs"),
            best=f"perplexity {perplexity(best_loss(run)):.3f}",
            tested=tested,
            command=f"ostinato predict {run.folder.path} -",
        )

    def _translate(
        self, run: Trained, texts: tuple[str, ...], progress: Progress | None, beam: int | None
    ) -> list[str]:
        codec: PairCodec = run.codec
        sources = codec.encode_sources(texts)
        written, done = [""] * len(texts), 0
        for rows in in_length_order([len(source) for source in sources], AT_ONCE):
            given = [row for row in rows.tolist() if texts[row]]
            found = [codec.copied(texts[row], sources[row]) for row in given] if codec.copies else None
            copied = None if found is None else [places for places, _ in found]
            lacking = [()] * len(given) if found is None else [words for _, words in found]
            best = self._search(run, [sources[row] for row in given], beam, copied)
            for row, tokens, words in zip(given, best, lacking, strict=True):
                written[row] = codec.written(tokens, words).strip()
            done += len(rows)
            if progress is not None:
                progress(done, len(texts))
        return written

    def _search(
        self, run: Trained, sources: list[Any], beam: int | None, copied: list[Any] | None = None
    ) -> list[list[int]]:
        """The best target of each source, as ids; of sources whose words can be copied, called so in targets."""
        if not sources:
            return []
        decoding, codec = run.config["decoding"], run.codec
        model = cast(Seq2Seq | WriterEnsemble, run.model)
        ids, lengths = pad_ids(sources)
        with torch.no_grad():
            state = model.start(ids, lengths, *([] if copied is None else [pad_ids(copied)[0]]))
        # twice as long as what is read, and some: a limit against endless repetition, not one that is met
        limits = (2 * lengths + 50).clamp(max=decoding["max_length"])
        width = BEAM if beam is None else beam
        return best_sequences(
            model.decoder.step, state, limits, width=width, alpha=decoding["length_penalty"], never=codec.never_written
        )


TASK: Task[TrainTranslate, PreparedPairs] = Translation()
