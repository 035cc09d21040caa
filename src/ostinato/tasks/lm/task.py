"""lm: a language model, from text to its perplexity and to text."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

from torch import nn

from ostinato.cells.form import width_asked_for
from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Count
from ostinato.config.model import ModelOptions
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.streams import Streams, single_stream
from ostinato.data.text.corpus import learned_tokenizer, token_ids
from ostinato.data.text.reading import END, Sample, Text, open_text
from ostinato.data.text.shards import Shards
from ostinato.data.text.stream_decoder import EOS, UNK
from ostinato.data.text.tokenizer import TextCodec, TokenIds, Tokenizer, split_words
from ostinato.data.text.unknown_words import TELLING, unknown_note, unknown_of, warn_unknown
from ostinato.evaluation import bits_per_character, perplexity
from ostinato.losses import activation_penalty, sequence_cross_entropy
from ostinato.optim import takes_sparse
from ostinato.tasks.card import CardFacts, files_of, valid_source
from ostinato.tasks.contract import Progress, Task, record
from ostinato.tasks.embedding import words_in
from ostinato.tasks.lm import in_c, inspection, lending, portable
from ostinato.tasks.lm.adopting import USED, adopt
from ostinato.tasks.lm.corpora import Ids, first_of, ids_of, shard_size, streams, trained_share
from ostinato.tasks.lm.ensemble import LanguageModelEnsemble
from ostinato.tasks.lm.figures import by_frequency, evaluate_language_model, mean_loss
from ostinato.tasks.lm.model import LanguageModel
from ostinato.tasks.lm.options import EvaluateLm, GenerateLm, TrainLm
from ostinato.tasks.lm.results import Figures, Summary
from ostinato.tasks.lm.sampling import sample
from ostinato.tasks.lm.writing import TOGETHER, Writing, WritingRows, write_together
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.trained import Trained, best_loss, require_alike, summed_up
from ostinato.training import ALONE, Job, Processes

#: Tokens to validate on while training, at most: the first ones of a longer validation text.
VALIDATED = 1_000_000


PreparedText: TypeAlias = Prepared[TextCodec, Any, None]  # parts are ids; those to train on may be in shards


class LanguageModelling:
    """Text in, the next token out, for as long as one likes."""

    RECORDED: Mapping[str, Any] = {"data.train.characters": Count, "data.held_out": bool}

    def prepare(
        self, options: TrainLm, progress: Progress | None = None, codec: TextCodec | None = None
    ) -> PreparedText:
        """Read, split and tokenise."""
        if not options.text:
            raise ConfigError("TEXT: expected at least one file, folder, or - for standard input")
        level = options.tokens.level
        whole = open_text(options.text)
        size = shard_size(options, whole)
        if size is not None:
            whole = whole.seekable()
        if options.valid is None:
            share = trained_share(whole, size)
            train, valid = whole.split(share, at="character" if level == "char" else "line")
        else:
            train, valid = whole, open_text([options.valid])
        data: dict[str, Any] = {"train": _record(train), "valid": _record(valid), "held_out": options.valid is None}
        if options.test is not None:
            data["test"] = _record(open_text([options.test]))
        if codec is None:
            separator = None if options.document_separator == EOS else options.document_separator
            shown = train if size is None else Sample.of(train)
            tokenizer = learned_tokenizer(shown, level, options.tokens.vocab_limit, separator=separator)
        else:
            tokenizer = codec.tokenizer
        ids, seen = ids_of(train, tokenizer, size, progress)
        try:
            streams(ids, options.training.batch_for(len(ids)), options.training.steps)  # long enough for one batch?
        except DataError as error:
            raise DataError(f"{', '.join(train.names)}: {error}") from None
        if options.document_separator is not None and tokenizer.begin_id not in seen:
            asked = f"--document-separator {options.document_separator!r}"
            warnings.warn(f"{asked} never stands in the text: all of it is one document", stacklevel=2)
        held = token_ids(valid, tokenizer, progress=progress)
        data["train"] |= unknown_of([seen], tokenizer)
        if codec is not None:
            _warn_of_unknown(train, seen, tokenizer, "the vocabulary is that of the run begun with")
        data["valid"] |= unknown_of([held], tokenizer)
        _warn_of_unknown(valid, held, tokenizer, "a larger --vocab-size or --level bpe would know more")
        return Prepared(TextCodec(tokenizer), ids, held, data, None)

    def configuration(self, options: TrainLm, prepared: PreparedText) -> dict[str, Any]:
        """The model's sizes, records of the text, and the batch, whose default depends on the text."""
        sizes = model_sizes(options.model, prepared.codec.tokenizer) | options.regularisation.model_settings()
        if options.document_separator is not None:
            sizes |= {"separator": prepared.codec.tokenizer.begin_id}
        if options.adaptive:
            sizes |= {"cutoffs": list(options.adaptive)}
        return {"model": sizes, "data": prepared.data, "batch": options.training.batch_for(len(prepared.train))}

    def files(self, prepared: PreparedText) -> Mapping[str, bytes]:
        """The tokenizer."""
        return {"tokenizer.json": prepared.codec.tokenizer.to_json().encode()}

    def build(self, config: Mapping[str, Any]) -> LanguageModel:
        """A model from a run's configuration."""
        return LanguageModel(**config["model"])

    def job(self, options: TrainLm, model: nn.Module, prepared: PreparedText, processes: Processes = ALONE) -> Job:
        """What the loop needs, for one process of several."""
        training, tokenizer = options.training, prepared.codec.tokenizer
        batch = training.batch_for(len(prepared.train))
        regularised, random = options.regularisation, training.seed if options.regularisation.random_steps else None
        rank, world = processes.rank, processes.size
        batches = streams(prepared.train, batch, training.steps, tokenizer.begin_id, rank, world, random)
        # Streams side by side, as in training: nearly the figure of `evaluate`, at a fraction of the time.
        held_out = prepared.valid[:VALIDATED]
        side_by_side = max(1, min(batch, len(held_out) // (2 * training.steps)))
        valid = Streams(held_out, side_by_side, training.steps, tokenizer.begin_id)
        if isinstance(model, LanguageModel):
            model.embedding.sparse = takes_sparse(training.optimizer, training.weight_decay)
        by_character = tokenizer.level == "char"
        penalty = partial(activation_penalty, ar=regularised.ar, tar=regularised.tar)
        return Job(
            model=model,
            loss=sequence_cross_entropy,
            batches=batches,
            validate=lambda trained: mean_loss(trained, valid),
            figure=("bits_per_character", bits_per_character) if by_character else ("perplexity", perplexity),
            validation_share=valid.tokens / batches.tokens,
            penalty=penalty if regularised.ar or regularised.tar else None,
            guess=lambda: by_frequency(first_of(prepared.train), held_out, tokenizer.size),
        )

    def describe(self, model: nn.Module, prepared: PreparedText) -> str:
        """Tokens, vocabulary, parameters."""
        ids: Ids = prepared.train
        part = "tenth" if not isinstance(ids, Shards) else "part"
        where = f", the last {part} of the text" if prepared.data["held_out"] else ""
        if len(prepared.valid) > VALIDATED:
            where += f" (the first {VALIDATED:,} of them, while training)"
        amount = (
            f"about {len(ids):,} tokens to train on, in {len(ids.texts)} shards"
            if isinstance(ids, Shards)
            else (f"{len(ids):,} tokens to train on")
        )
        return (
            f"{amount}, {len(prepared.valid):,} to validate on{where}; "
            f"vocabulary {prepared.codec.tokenizer.size:,}{unknown_note(prepared.data)}, "
            f"{sum(p.numel() for p in model.parameters()):,} parameters"
        )

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> TextCodec:
        """The tokenizer."""
        return TextCodec(Tokenizer.load(folder.tokenizer))

    def evaluate(
        self, run: Trained, sources: Iterable[str], options: EvaluateLm, progress: Progress | None = None
    ) -> Figures:
        """Every token, the state carried through the whole text: tokens, loss, perplexity, bits_per_character;
        with dynamic evaluation or a cache, where the options say so."""
        tokenizer = run.tokenizer
        text = open_text(sources)
        ids = token_ids(text, tokenizer)
        _warn_of_unknown(
            text, ids, tokenizer, "its figures are not to be compared with those of a model that knows them"
        )
        adapting = options.adapting
        if run.members and adapting.settings_in_use():
            raise ConfigError("--dynamic and --cache adapt one model: an ensemble has several; leave them out")
        steps = adapting.dynamic_steps if adapting.dynamic else evaluated_at_once(tokenizer.size)
        pieces, level = single_stream(ids, steps, tokenizer.begin_id), tokenizer.level
        figures = evaluate_language_model(
            run.model, pieces, len(ids), level=level, adapting=adapting, progress=progress
        )
        return Figures(**figures | unknown_of([ids], tokenizer))

    def generate(
        self, run: Trained, prompt: str, length: int, options: GenerateLm, *, stop: str | None
    ) -> Iterator[str]:
        """Write on from a prompt."""
        assert isinstance(run.model, LanguageModel | LanguageModelEnsemble)
        ids, writing = self.writing(run, prompt, length, options, stop=stop)
        tokens = sample(run.model, [run.tokenizer.begin_id, *ids], length, options.sampling, never=_never(run))
        return _pieces(writing, tokens)

    def generate_all(
        self,
        run: Trained,
        asked: Sequence[tuple[str, GenerateLm]],
        length: int,
        *,
        stop: str | None,
        progress: Progress | None = None,
    ) -> Iterator[str]:
        """Write several texts side by side; an ensemble one after the other."""
        if run.members:
            return ("".join(self.generate(run, prompt, length, options, stop=stop)) for prompt, options in asked)
        begun = [self.writing(run, prompt, length, options, stop=stop) for prompt, options in asked]
        texts = [([run.tokenizer.begin_id, *ids], writing) for ids, writing in begun]
        capacity = min(len(texts), TOGETHER)
        return write_together(self.rows(run, capacity), texts, capacity, progress)

    def writing(
        self, run: Trained, prompt: str, length: int, options: GenerateLm, *, stop: str | None, after: str = ""
    ) -> tuple[list[int], Writing]:
        """The ids of a prompt, and the text that goes on from it; the prompt may stand `after` a text."""
        tokenizer = run.tokenizer
        if unknown := tokenizer.unknown(prompt):
            shown = ", ".join(map(repr, unknown))
            if tokenizer.level != "word":
                raise DataError(f"prompt: characters that the model has never seen: {shown}; leave them out")
            warnings.warn(f"prompt: words that the model has never seen, read as {UNK}: {shown}", stacklevel=4)
        return tokenizer.encode(prompt), Writing(tokenizer, options.sampling, length, stop=stop, after=prompt or after)

    def rows(self, run: Trained, capacity: int) -> WritingRows:
        """Texts side by side."""
        assert isinstance(run.model, LanguageModel)
        return WritingRows(run.model, capacity, never=_never(run))

    def together(self, runs: Sequence[Trained]) -> nn.Module:
        """The mean of the next token's probabilities; their vocabularies must be the same."""
        require_alike("the vocabulary", [run.tokenizer.to_json() for run in runs])
        require_alike("--document-separator", [run.config["model"].get("separator") for run in runs])
        return LanguageModelEnsemble([cast(LanguageModel, run.model) for run in runs])

    adopt, ADOPTING = staticmethod(adopt), USED

    def embeddings(self, codec: TextCodec) -> Mapping[str, Mapping[str, int]]:
        """That of the words."""
        return {"embedding": words_in(codec.tokenizer)}

    lending, lend = staticmethod(lending.lending), staticmethod(lending.lend)
    metadata, graphs = staticmethod(portable.metadata), staticmethod(portable.graphs)
    described = staticmethod(portable.described)
    program, sample = staticmethod(in_c.program), staticmethod(in_c.sample)
    observe, follow = staticmethod(inspection.observe), staticmethod(inspection.follow)
    typed, example = staticmethod(inspection.typed), staticmethod(inspection.example)
    batches, read_text = staticmethod(inspection.batches), staticmethod(inspection.read_text)

    def summary(self, run: Trained) -> Summary:
        """Tokens trained on, and the lowest validation loss."""
        loss = best_loss(run)
        own: dict[str, Any] = {"valid_loss": loss, "valid_perplexity": perplexity(loss)}
        if run.tokenizer.level == "char":
            own["valid_bits_per_character"] = bits_per_character(loss)
        return summed_up(Summary, run, tokens=run.folder.resume_point.position().tokens, **own)

    def card(self, run: Trained) -> CardFacts:
        """What was trained, on what, how well, and how to use it."""
        sizes, data, level = run.config["model"], run.config["data"], run.tokenizer.level
        tested = None if run.test is None else f"{files_of(data['test'])}, {_loss_line(run.test['loss'], level)}"
        return CardFacts(
            title=f"Language model ({sizes['cell']}, level {level})",
            model=f"{sizes['num_layers']} x {sizes['hidden_size']} units, embedding {sizes['embed_size']}, vocabulary "
            f"{sizes['vocab_size']:,}",
            trained_on=f"{files_of(data['train'])} ({data['train']['characters']:,} characters)",
            validated_on=valid_source(data, "the last tenth of the text"),
            best=_loss_line(best_loss(run), level),
            tested=tested,
            use='print("".join(run.generate("", length=200)))',
        )


TASK: Task[TrainLm, PreparedText] = LanguageModelling()


def _loss_line(loss: float, level: str) -> str:
    """A loss as people read it."""
    shown = f"perplexity {perplexity(loss):.2f}"
    return f"{bits_per_character(loss):.3f} bits a character, {shown}" if level == "char" else shown


def evaluated_at_once(vocab_size: int) -> int:
    """Steps that evaluation reads at once: 1,000, or as many as logits fit 16 MB."""
    return max(1, min(1000, 4_000_000 // vocab_size))


def model_sizes(options: ModelOptions, tokenizer: Tokenizer) -> dict[str, Any]:
    """Arguments of `LanguageModel`."""
    narrow = 128 if tokenizer.level == "char" and not options.tied else options.hidden
    projected = width_asked_for(options.cell, options.cell_settings())
    embed = options.embed or (options.tied and projected) or min(narrow, options.hidden)
    return {
        "vocab_size": tokenizer.size,
        "embed_size": embed,
        "tied": options.tied,
        "last_size": embed if options.tied and not projected else None,
        **options.layer_settings(),
    }


def _warn_of_unknown(text: Text, ids: TokenIds, tokenizer: Tokenizer, advice: str) -> None:
    """Warn of unknown tokens, but for those that the text itself writes as `<unk>`, as some corpora do."""
    found = unknown_of([ids], tokenizer)
    if found.get("unknown", 0.0) > TELLING and tokenizer.level == "word":
        own = sum(split_words(block).count(UNK) for block in text.blocks() if block is not END)
        found["unknown"] -= own / len(ids)
    warn_unknown(", ".join(text.names), found, tokenizer.level, advice)


def _record(text: Text) -> dict[str, Any]:
    return record(text.names, text.digest, characters=text.characters)


def _never(run: Trained) -> set[int]:
    """Tokens that are not written: the unknown one, and what ends a text of characters."""
    tokenizer = run.tokenizer
    never = {tokenizer.unk_id} if tokenizer.unk_id is not None else set()
    if tokenizer.level == "char" and run.model.separator != tokenizer.eos_id:
        never.add(tokenizer.eos_id)
    return never


def _pieces(writing: Writing, tokens: Iterator[int]) -> Iterator[str]:
    for token in tokens:
        if piece := writing.take(token):
            yield piece
        if writing.done:
            return
