"""caption: pictures, or features of them, from files to CIDEr and to captions."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import torch
from torch import nn

from ostinato.checkpoint import RunFolder
from ostinato.checkpoint.position import Count
from ostinato.checkpoint.recorded import Positive
from ostinato.core.errors import ConfigError, DataError
from ostinato.data.batching.buckets import Buckets, in_length_order
from ostinato.data.batching.splits import held_out
from ostinato.data.pictures.captions import Captions, is_list, part_of, read_captions, read_names
from ostinato.data.pictures.views import EncodedCaptions, Features, Views, unusable, views_of
from ostinato.data.sources.encodings import read_as
from ostinato.data.text.tokenizer import TextCodec, Tokenizer
from ostinato.data.text.unknown_words import unknown_note, unknown_of, warn_unknown
from ostinato.data.text.vocabulary import learn_tokenizer
from ostinato.decoding import best_sequences
from ostinato.evaluation import perplexity
from ostinato.evaluation.decoded import decoded_loss
from ostinato.losses import decoded_cross_entropy
from ostinato.models.ensemble import WriterEnsemble
from ostinato.tasks.caption import portable
from ostinato.tasks.caption.figures import score_captions
from ostinato.tasks.caption.model import Captioner
from ostinato.tasks.caption.options import BEAM, AskCaption, TrainCaption
from ostinato.tasks.caption.results import Figures, Summary
from ostinato.tasks.caption.typed import example, picture, typed
from ostinato.tasks.card import CardFacts, files_of, valid_source
from ostinato.tasks.contract import Alignment, Progress, Task, record
from ostinato.tasks.embedding import words_in
from ostinato.tasks.prepared import Prepared
from ostinato.tasks.trained import AnyRun, Trained, best_loss, changed, require_alike, summed_up
from ostinato.training import ALONE, Job, Processes

#: Pictures looked at at once.
AT_ONCE = 64

#: Captions to validate on while training, at most.
VALIDATED = 5_000

_PICTURE = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm"}


#: `more` is what the model sees: its `picture_size` or `feature_size`.
PreparedCaptions: TypeAlias = Prepared[TextCodec, EncodedCaptions, dict[str, int]]


class Picture(NamedTuple):
    """A picture to describe, and what shows it; None where it is missing or damaged."""

    name: str
    views: Views | None


class Captioning:
    """A picture in, a text out."""

    RECORDED: Mapping[str, Any] = {
        "decoding.max_length": Positive,
        "decoding.length_penalty": float,
        "views.images": str | None,
        "views.features": str | None,
        "data.train.captions": Count,
        "data.train.pictures": Count,
        "data.valid.captions": Count,
        "data.held_out": bool,
    }

    def prepare(
        self, options: TrainCaption, progress: Progress | None = None, codec: TextCodec | None = None
    ) -> PreparedCaptions:
        """Read captions, split by picture, look at every picture once."""
        if len(options.data) != 1:
            raise ConfigError("DATA: expected one file of captions")
        if options.data[0] == "-" and options.test is not None and is_list(options.test):
            raise ConfigError("--test: a list of names needs DATA in a file, which is read again for their captions")
        views = views_of(options.images, options.features, options.picture_size)
        whole = read_captions(options.data[0])
        parts = _split(options, whole)
        seen = {name: _usable(part, views) for name, part in parts.items()}
        data: dict[str, Any] = {
            name: record([part.file], part.digest, pictures=len(part), captions=sum(map(len, part.texts)))
            for name, part in seen.items()
        }
        data["held_out"] = options.valid is None
        if codec is None:
            codec = TextCodec(learn_tokenizer(seen["train"].lines(), options.tokens.level, options.tokens.vocab_limit))
        tokenizer = codec.tokenizer
        encoded = [_encoded(seen[name], tokenizer, views) for name in ("train", "valid")]
        for name, part in zip(("train", "valid"), encoded, strict=True):
            data[name] |= unknown_of(part.targets, tokenizer)
        warn_unknown(
            seen["valid"].file, data["valid"], tokenizer.level, "a larger --vocab-size or --level bpe would know more"
        )
        train, valid = (part.within(options.max_length) for part in encoded)
        for name, part in (("train", train), ("valid", valid)):
            if not len(part):
                raise DataError(f"{seen[name].file}: every caption is longer than --max-length {options.max_length}")
        valid = valid.spread(VALIDATED)
        data["valid"]["used"] = len(valid)
        sees = {"feature_size": views.size} if isinstance(views, Features) else {"picture_size": options.picture_size}
        return Prepared(codec, train, valid, data, sees)

    def configuration(self, options: TrainCaption, prepared: PreparedCaptions) -> dict[str, Any]:
        """The model's sizes, records of the captions, and how to decode."""
        sizes = options.model
        model = {
            "vocab_size": prepared.codec.tokenizer.size,
            "embed_size": sizes.embed or sizes.hidden,
            "attention": None if options.attention == "none" else options.attention,
            "tied": sizes.tied,
            **prepared.more,
            **sizes.layer_settings(),
        }
        decoding = {"max_length": options.max_length, "length_penalty": options.length_penalty}
        views = {"images": options.images, "features": options.features, "picture_size": options.picture_size}
        return {"model": model, "data": prepared.data, "decoding": decoding, "views": views}

    def files(self, prepared: PreparedCaptions) -> Mapping[str, bytes]:
        """The tokenizer."""
        return {"tokenizer.json": prepared.codec.tokenizer.to_json().encode()}

    def build(self, config: Mapping[str, Any]) -> Captioner:
        """A model from a run's configuration."""
        return Captioner(**config["model"])

    def job(
        self, options: TrainCaption, model: nn.Module, prepared: PreparedCaptions, processes: Processes = ALONE
    ) -> Job:
        """What the loop needs, for one process of several."""
        training, captions = options.training, prepared.train
        size, counts = training.batch_of(len(captions)), captions.counts
        buckets = Buckets(counts, size, captions.batch, counts, training.seed, processes.rank, processes.size)
        held = [prepared.valid.batch(rows) for rows in in_length_order(prepared.valid.counts, AT_ONCE)]
        return Job(
            model=model,
            loss=partial(decoded_cross_entropy, label_smoothing=options.label_smoothing),
            batches=buckets,
            validate=lambda trained: decoded_loss(trained, held),
            figure=("perplexity", perplexity),
            validation_share=sum(batch.tokens for batch in held) / buckets.tokens,
            smoothed=options.label_smoothing > 0,
        )

    def describe(self, model: nn.Module, prepared: PreparedCaptions) -> str:
        """Captions, pictures, vocabulary, parameters."""
        train, valid = (prepared.data[name] for name in ("train", "valid"))
        where = ", a tenth of all" if prepared.data["held_out"] else ""
        if len(prepared.valid) < valid["captions"]:
            where += f" (by {len(prepared.valid):,} of their captions, while training)"
        return (
            f"{len(prepared.train):,} captions of {train['pictures']:,} pictures to train on, {valid['pictures']:,} "
            f"pictures to validate on{where}; vocabulary {prepared.codec.tokenizer.size:,}"
            f"{unknown_note(prepared.data)}, "
            f"{sum(p.numel() for p in model.parameters()):,} parameters"
        )

    def embeddings(self, codec: TextCodec) -> Mapping[str, Mapping[str, int]]:
        """That of the words that are written."""
        return {"decoder.embedding": words_in(codec.tokenizer)}

    def codec(self, folder: RunFolder, config: Mapping[str, Any]) -> TextCodec:
        """The tokenizer."""
        return TextCodec(Tokenizer.load(folder.tokenizer))

    def evaluate(
        self, run: Trained, sources: Iterable[str], options: AskCaption, progress: Progress | None = None
    ) -> Figures:
        """Of the captions that the model writes: examples, bleu4, cider, exact_match; and pictures left out."""
        (source, *others) = list(sources)
        if others:
            raise ConfigError(f"expected one file of captions or names, got {1 + len(others)}")
        views = views_of(**run.config["views"])
        part = part_of(_trained_on(run), source) if is_list(source) else read_captions(source)
        seen = _usable(part, views)
        written = self._captions(run, views, seen.names, progress, options.beam)
        unknown = unknown_of(run.tokenizer.encode_all([text for texts in seen.texts for text in texts]), run.tokenizer)
        warn_unknown(seen.file, unknown, run.tokenizer.level, "it cannot write them")
        return Figures(**score_captions(written, seen.texts) | unknown, left_out=len(part) - len(seen))

    def read(self, run: Trained, source: str) -> Iterator[Picture]:
        """Each name of a list, each picture of a file of captions, or one picture; a warning says which are missing."""
        given = run.config["views"]
        if source != "-" and given["images"] is not None and Path(source).suffix.lower() in _PICTURE:
            path = Path(source)
            views, names = views_of(str(path.parent), None, given["picture_size"]), [path.name]
            if not views.usable(names)[0]:
                raise DataError(f"{source}: missing or damaged; expected a picture that Pillow can read")
        else:
            views, names = views_of(**given), read_names(source)
        good, bad = views.usable(names)
        if bad:
            warnings.warn(unusable(bad, len(names)), stacklevel=2)
        there = set(good)
        return (Picture(name, views if name in there else None) for name in names)

    def answer(
        self, run: Trained, examples: Iterable[Picture], options: AskCaption, progress: Progress | None = None
    ) -> Iterator[str]:
        """A caption for each; an empty one for what cannot be seen."""
        examples, found = list(examples), list[str]()
        seen = [picture for picture in examples if picture.views is not None]
        for _, group in groupby(seen, lambda picture: id(picture.views)):
            pictures = list(group)
            names, views = [picture.name for picture in pictures], cast("Views", pictures[0].views)
            found += self._captions(run, views, names, progress, options.beam)
        captions = iter(found)
        return ("" if picture.views is None else next(captions) for picture in examples)

    def together(self, runs: Sequence[Trained]) -> nn.Module:
        """The mean of the next token's probabilities, searched together; vocabulary and pictures must be the same."""
        require_alike("the vocabulary", [run.tokenizer.to_json() for run in runs])
        require_alike("pictures", [run.config["views"] for run in runs])
        return WriterEnsemble([run.model for run in runs])

    def look(self, run: Trained, picture: Path, beam: int | None = None) -> Alignment:
        """Caption a picture, and see what attention looked at.

        Raises:
            DataError: no picture.
            ConfigError: the model has no attention, or was trained on features.
        """
        given, model = run.config["views"], cast(Captioner, run.model)
        if model.pictures is None or run.config["model"]["attention"] is None:
            raise ConfigError(f"{run.folder.path}: the model has no attention over pictures to show")
        views = views_of(str(picture.parent), None, given["picture_size"])
        if not views.usable([picture.name])[0]:
            raise DataError(f"{picture.name}: missing or damaged; expected a picture that Pillow can read")
        (tokens,) = self._written(run, views, [picture.name], beam)
        batch = EncodedCaptions([picture.name], [np.array(tokens, np.int64)], views).batch(np.zeros(1, np.int64))
        with torch.no_grad():
            weights = model(batch.inputs, **batch.arguments()).attention[:, 0]
        return Alignment([], [*(run.tokenizer.decode([token]) for token in tokens), "<eos>"], weights)

    def reading(self, run: AnyRun, given: Mapping[str, Any]) -> AnyRun:
        """The run as it is with its pictures elsewhere."""
        then = run.config["views"]
        if (then["images"] is None) != ("images" not in given):
            kind, option = ("features", "--features") if then["images"] is None else ("pictures", "--images")
            raise ConfigError(f"{run.folder.path}: was trained on {kind}; give {option}")
        views = then | {"images": given.get("images"), "features": given.get("features")}
        return changed(run, config=run.config | {"views": views})

    def lines(self, run: Trained, answers: Iterable[str]) -> Iterator[str]:
        """One a line; an empty one for a picture that cannot be seen."""
        return (" ".join(answer.splitlines()) for answer in answers)

    metadata, graphs = staticmethod(portable.metadata), staticmethod(portable.graphs)
    described = staticmethod(portable.described)
    typed, example, picture = staticmethod(typed), staticmethod(example), staticmethod(picture)

    def summary(self, run: Trained) -> Summary:
        """Tokens trained on, and the lowest validation loss."""
        tokens, loss = run.folder.resume_point.position().tokens, best_loss(run)
        return summed_up(Summary, run, tokens=tokens, valid_loss=loss, valid_perplexity=perplexity(loss))

    def card(self, run: Trained) -> CardFacts:
        """What was trained, on what, how well, and how to use it."""
        sizes, data, test = run.config["model"], run.config["data"], run.test
        sees = f"pictures of {sizes['picture_size']} pixels" if "picture_size" in sizes else "precomputed features"
        attention = f"attention {sizes['attention']}" if sizes["attention"] else "no attention"
        tested = None
        if test is not None:
            tested = f"{test['examples']:,} pictures, BLEU-4 {test['bleu4']:.1f}, CIDEr {test['cider']:.3f}"
        return CardFacts(
            title=f"Captions ({sizes['cell']}, level {run.tokenizer.level})",
            model=f"Sees {sees}; a decoder of {sizes['num_layers']} x {sizes['hidden_size']} units, {attention}, "
            f"vocabulary {sizes['vocab_size']:,}",
            trained_on=f"{files_of(data['train'])} ({data['train']['captions']:,} captions of "
            f"{data['train']['pictures']:,} pictures)",
            validated_on=valid_source(data, "a tenth of the pictures", "captions"),
            best=f"perplexity {perplexity(best_loss(run)):.3f}",
            tested=tested,
            command=f"ostinato predict {run.folder.path} names.txt",
        )

    def _captions(
        self, run: Trained, views: Views, names: Sequence[str], progress: Progress | None, beam: int | None
    ) -> list[str]:
        """What the model writes of pictures that can be seen."""
        written: list[str] = []
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            written += [run.tokenizer.decode(tokens).strip() for tokens in self._written(run, views, some, beam)]
            if progress is not None:
                progress(len(written), len(names))
        return written

    def _written(self, run: Trained, views: Views, names: Sequence[str], beam: int | None) -> list[list[int]]:
        """The same as tokens, of pictures that fit side by side."""
        model, decoding = cast(Captioner | WriterEnsemble, run.model), run.config["decoding"]
        never = set() if run.tokenizer.unk_id is None else {run.tokenizer.unk_id}
        with torch.no_grad():
            state = model.start(*views.batch(names))
        limits = torch.full((len(names),), decoding["max_length"])
        width, alpha = BEAM if beam is None else beam, decoding["length_penalty"]
        return best_sequences(model.decoder.step, state, limits, width=width, alpha=alpha, never=never)


TASK: Task[TrainCaption, PreparedCaptions] = Captioning()


def _split(options: TrainCaption, whole: Captions) -> dict[str, Captions]:
    """Captions to train, to validate and to test on: no picture is in two of them."""
    parts = {}
    if options.test is not None:
        parts["test"] = part_of(whole, options.test)
    if options.valid is not None:
        parts["valid"] = part_of(whole, options.valid)
    taken = {name for part in parts.values() for name in part.names}
    left = [name for name in whole.names if name not in taken]
    if not left:
        raise DataError(f"{whole.file}: every picture is in --valid or --test: none is left to train on")
    if options.valid is None:
        kept, out = held_out(len(left), options.training.seed)
        parts["valid"] = whole.select(left[row] for row in out)
        left = [left[row] for row in kept]
    return {"train": whole.select(left), **parts}


def _usable(part: Captions, views: Views) -> Captions:
    """Captions of pictures that can be seen; tells which cannot."""
    good, bad = views.usable(part.names)
    if not good:
        raise DataError(f"{part.file}: {unusable(bad, len(part))}; expected at least one that can be read")
    if bad:
        warnings.warn(unusable(bad, len(part)), stacklevel=2)
    return part.select(good) if bad else part


def _encoded(part: Captions, tokenizer: Tokenizer, views: Views) -> EncodedCaptions:
    pairs = [(name, text) for name, texts in zip(part.names, part.texts, strict=True) for text in texts]
    targets = tokenizer.encode_all([text for _, text in pairs])
    return EncodedCaptions([name for name, _ in pairs], targets, views)


def _trained_on(run: Trained) -> Captions:
    """All captions that the run was made of.

    Raises:
        DataError: they are not there any more.
    """
    (file,) = run.config["data"]["train"]["files"]
    try:
        with read_as(run.config["options"].get("encoding")):
            return read_captions(file)
    except DataError as error:
        raise DataError(f"a list of names needs the captions that the run was made of: {error}") from None
