"""The card of a run's model: Markdown with the hub's front matter.

What it was trained on, its figures on held-out problems with the baselines' beside them, how to
serve it. Without an evaluation it says so.
"""

from collections.abc import Collection, Mapping

from quasar import __version__
from quasar.config import QuasarConfig
from quasar.evaluation.summary import Summary, format_value, metric
from quasar.reports.console import TABLED

_HEADER = """---
library_name: transformers
pipeline_tag: text-generation
tags:
- quantum
- openqasm
- quasar
---
"""


def model_card(
    config: QuasarConfig,
    rows: Mapping[str, Summary],
    *,
    subject: str | None = None,
    baselines: Collection[str] = (),
) -> str:
    """The card. rows: of the run's final table; subject: the model's own among them; baselines:
    those that need no model, which come last.
    """
    name = config.run.name
    parts = [
        _HEADER,
        f"# {name}\n",
        "Writes OpenQASM 3 circuits for optimisation problems; trained with "
        f"[Quasar](https://arxiv.org/abs/2510.00967) {__version__}.\n",
        "## Training\n",
        _training(config),
        "## Figures\n",
        _figures(config, rows, subject, baselines),
        "## Use\n",
        _use(name),
    ]
    return "\n".join(parts)


def _training(config: QuasarConfig) -> str:
    data, sft, grpo = config.dataset, config.sft, config.grpo
    start = config.policy.model
    weights = (
        f"a new model of {config.policy.num_layers} layers of width {config.policy.hidden_size}"
        if start == "build"
        else f"`{start.rstrip('/').rpartition('/')[2]}`"
    )
    kinds = ", ".join(data.primitives)
    tasks = "" if tuple(data.tasks) == ("ising",) else f" Tasks: {', '.join(data.tasks)}."
    return (
        f"- Start: {weights}; seed {config.run.seed}.\n"
        f"- Data: {data.num_examples:,} solved problems of {data.min_qubits} to {data.max_qubits} "
        f"qubits ({kinds}); circuits: {', '.join(data.ansatze)}; prompts `{data.prompts}`, "
        f"programs `{data.style}`.{tasks}\n"
        f"- Supervised fine-tuning: {sft.epochs:g} epochs, peak learning rate "
        f"{sft.learning_rate:g}.\n"
        f"- GRPO: {grpo.iterations} updates of {grpo.prompts_per_step} prompts with "
        f"{grpo.samples_per_prompt} answers each, learning rate {grpo.learning_rate:g}; reward "
        f"`{config.reward.formula}`.\n"
        "- All settings: `quasar.yaml` (`config.yaml` in the run).\n"
    )


def _figures(
    config: QuasarConfig,
    rows: Mapping[str, Summary],
    subject: str | None,
    baselines: Collection[str],
) -> str:
    if not rows:
        return "It was not evaluated on held-out problems yet (`quasar train --resume`).\n"
    settings = config.evaluation
    some = rows[subject] if subject and subject in rows else next(iter(rows.values()))
    heads = ["", "n", *(metric(name).label for name in TABLED)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    models = [name for name in rows if name not in baselines]
    for name in (*models, *(name for name in rows if name in baselines)):
        cells = [_cell(rows[name], column) for column in TABLED]
        shown = f"**{name}**" if name == subject else name
        lines.append(f"| {shown} | {rows[name].num_problems} | {' | '.join(cells)} |")
    return (
        f"On {some.num_problems} held-out problems, {settings.samples} answers each at temperature "
        f"{settings.temperature:g}; means over problems with 95 % bootstrap intervals; the last "
        "rows need no model.\n\n" + "\n".join(lines) + "\n"
    )


def _cell(summary: Summary, name: str) -> str:
    found = summary.get(name)
    value = format_value(found.value, name)
    if found.value is None:
        return value
    low, high = (format_value(edge, name).removesuffix(" %") for edge in (found.low, found.high))
    return f"{value} [{low}, {high}]"


def _use(name: str) -> str:
    return (
        "```bash\n"
        'pip install "quasar-rl[cpu,serve]"\n'
        f"quasar pull OWNER/{name} --output {name}   # or a run directory of your own\n"
        f"quasar serve --checkpoint {name}\n"
        'quasar ask "max cut of 0-1 1-2 2-3 3-0 0-2:3"\n'
        "```\n\n"
        "It answers prompts of the style named above; `quasar bench --checkpoint "
        f"{name} --output result.json` measures it beside baselines.\n"
    )
