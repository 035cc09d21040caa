"""The short model card in a run folder."""

from __future__ import annotations

from typing import Any

from ostinato.evaluation import bits_per_character, perplexity
from ostinato.tasks.trained import Trained


def card(run: Trained, title: str, told: list[str], use: str) -> str:
    """A short model card.

    Args:
        run: whose.
        title: what it is.
        told: what was trained on what, how well; one line each.
        use: a line of Python that has `run`.
    """
    sizes = run.config["model"]
    parameters = sum(p.numel() for p in run.model.parameters())
    lines = [
        f"# {title}",
        "",
        f"{sizes['num_layers']} x {sizes['hidden_size']} units, {parameters:,} parameters. "
        f"Made by ostinato {run.config['versions']['ostinato']}.",
        "",
        *(f"- {line}" for line in told),
        "",
        "```python",
        "import ostinato",
        "",
        f'run = ostinato.load("{run.folder.path}")',
        use,
        "```",
        "",
    ]
    return "\n".join(lines)


def language_model_card(run: Trained) -> str:
    """What was trained, on what, how well, and how to use it, in Markdown."""
    config, position = run.config, run.folder.resume_point.position()
    sizes, data = config["model"], config["data"]
    parameters = sum(p.numel() for p in run.model.parameters())
    level = run.tokenizer.level
    lines = [
        f"# Language model ({sizes['cell']}, level {level})",
        "",
        f"{sizes['num_layers']} x {sizes['hidden_size']} units, embedding {sizes['embed_size']}, vocabulary "
        f"{sizes['vocab_size']:,}, {parameters:,} parameters. Made by ostinato {config['versions']['ostinato']}.",
        "",
        f"- trained on: {', '.join(data['train']['files'])} ({data['train']['characters']:,} characters), "
        f"{position['step']:,} steps",
        f"- validation: {_source(data)}, {_figures(position['best'], level)} at step {position['best_step']:,}",
    ]
    if run.test is not None:
        lines.append(f"- test: {', '.join(data['test']['files'])}, {_figures(run.test['loss'], level)}")
    use = ["import ostinato", "", f'run = ostinato.load("{run.folder.path}")']
    use.append('print("".join(run.generate("", length=200)))')
    return "\n".join([*lines, "", "```python", *use, "```", ""])


def _source(data: dict[str, Any]) -> str:
    return "the last tenth of the text" if data["held_out"] else ", ".join(data["valid"]["files"])


def _used(valid: dict[str, Any], what: str) -> str:
    """How much of it is read while training; runs of before do not say."""
    return f" ({valid['used']:,} of {valid[what]:,} {what})" if "used" in valid else ""


def _figures(loss: float, level: str) -> str:
    shown = f"perplexity {perplexity(loss):.2f}"
    return f"{bits_per_character(loss):.3f} bits a character, {shown}" if level == "char" else shown


def pairs_card(run: Trained) -> str:
    """The same for a model that translates."""
    config, position = run.config, run.folder.resume_point.position()
    sizes, data = config["model"], config["data"]
    parameters = sum(p.numel() for p in run.model.parameters())
    attention = f"attention {sizes['attention']}" if sizes["attention"] else "no attention"
    source = "a tenth of the pairs" if data["held_out"] else ", ".join(data["valid"]["files"])
    source += _used(data["valid"], "pairs")
    lines = [
        f"# Translation ({sizes['cell']}, level {run.tokenizer.level})",
        "",
        f"Encoder and decoder of {sizes['num_layers']} x {sizes['hidden_size']} units, {attention}, vocabulary "
        f"{sizes['target_vocab']:,}, {parameters:,} parameters. Made by ostinato {config['versions']['ostinato']}.",
        "",
        f"- trained on: {', '.join(data['train']['files'])} ({data['train']['pairs']:,} pairs), "
        f"{position['step']:,} steps",
        f"- validation: {source}, perplexity {perplexity(position['best']):.3f} at step {position['best_step']:,}",
    ]
    if run.test is not None:
        found = f"BLEU {run.test['bleu']:.1f}, chrF {run.test['chrf']:.1f}, exact match {run.test['exact_match']:.4f}"
        lines.append(f"- test: {', '.join(data['test']['files'])}, {found} ({run.test['bleu_signature']})")
    use = [f"ostinato predict {run.folder.path} -"]
    return "\n".join([*lines, "", "```bash", *use, "```", ""])


def captions_card(run: Trained) -> str:
    """The same for a model that writes captions."""
    config, position = run.config, run.folder.resume_point.position()
    sizes, data = config["model"], config["data"]
    parameters = sum(p.numel() for p in run.model.parameters())
    sees = f"pictures of {sizes['picture_size']} pixels" if "picture_size" in sizes else "precomputed features"
    attention = f"attention {sizes['attention']}" if sizes["attention"] else "no attention"
    source = "a tenth of the pictures" if data["held_out"] else ", ".join(data["valid"]["files"])
    source += _used(data["valid"], "captions")
    lines = [
        f"# Captions ({sizes['cell']}, level {run.tokenizer.level})",
        "",
        f"Sees {sees}; a decoder of {sizes['num_layers']} x {sizes['hidden_size']} units, {attention}, vocabulary "
        f"{sizes['vocab_size']:,}, {parameters:,} parameters. Made by ostinato {config['versions']['ostinato']}.",
        "",
        f"- trained on: {', '.join(data['train']['files'])} ({data['train']['captions']:,} captions of "
        f"{data['train']['pictures']:,} pictures), {position['step']:,} steps",
        f"- validation: {source}, perplexity {perplexity(position['best']):.3f} at step {position['best_step']:,}",
    ]
    if run.test is not None:
        lines.append(
            f"- test: {run.test['examples']:,} pictures, BLEU-4 {run.test['bleu4']:.1f}, CIDEr {run.test['cider']:.3f}"
        )
    return "\n".join([*lines, "", "```bash", f"ostinato predict {run.folder.path} names.txt", "```", ""])


def forecast_card(run: Trained) -> str:
    """What was trained, on what, how well, and how to use it, in Markdown."""
    config, position = run.config, run.folder.resume_point.position()
    sizes, train, options = config["model"], config["data"]["train"], config["options"]
    parameters = sum(p.numel() for p in run.model.parameters())
    best = ", ".join(f"{name} {value:.4g}" for name, value in position["best_figures"].items())
    held_out = "each series' end" if config["data"]["held_out"] else ", ".join(config["data"]["valid"]["files"])
    lines = [
        f"# Forecast of {options['target'] or 'all columns'} ({sizes['cell']}, {sizes['head']})",
        "",
        f"{options['horizon']} steps from the {options['window']} before, season {options['season']}; "
        f"{sizes['num_layers']} x {sizes['hidden_size']} units in encoder and decoder each, {parameters:,} parameters. "
        f"Made by ostinato {config['versions']['ostinato']}.",
        "",
        f"- trained on: {', '.join(train['files'])}, {train['series']:,} series, {train['rows']:,} rows from "
        f"{train['first']} to {train['last']}, {position['step']:,} steps",
        f"- validation: {held_out}, {best} at step {position['best_step']:,}",
    ]
    if options.get("refit"):
        lines.append("- then trained again for as many steps on all rows, those held out too")
    if run.test is not None:
        test = ", ".join(f"{name} {run.test[name]:.4g}" for name in ("mae", "mase") if run.test[name] is not None)
        lines.append(f"- test: {', '.join(config['data']['test']['files'])}, {test}")
    use = ["import ostinato", "", f'run = ostinato.load("{run.folder.path}")', 'run.predict("DATA.csv")']
    return "\n".join([*lines, "", "```python", *use, "```", ""])
