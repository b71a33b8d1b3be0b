"""The command line: the arguments of each command, logging, and errors as exit codes.

Exit codes: 0 done, 1 a check failed (doctor, problems check, verify, ask) or an unexpected error
(with its traceback), 2 bad input (one line on stderr), 130 interrupted. What a command does is in
`quasar.commands` and its neighbours.
"""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from quasar import commands, data_commands, rollout_commands, service_arguments
from quasar.argument_types import DEVICES, positive
from quasar.config import PRESETS
from quasar.errors import QuasarError

EXIT_FAILED, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 1, 2, 130


def main(argv: Sequence[str] | None = None, *, prepare: commands.Prepare | None = None) -> int:
    """Run one command and return its exit code.

    prepare: a last change to the configuration before the command sees it (used by `ray_jobs/`).
    """
    arguments = build_parser().parse_args(argv)
    set_up_logging(arguments.verbose)
    put_environment_on_path()
    arguments.prepare = prepare or commands.unchanged
    try:
        return arguments.run(arguments) or 0
    except QuasarError as error:
        print(f"quasar: {' '.join(str(error).split())}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("quasar: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def set_up_logging(verbosity: int) -> None:
    """Log to stderr: Quasar at INFO and the rest at WARNING; each -v one level more."""
    logging.basicConfig(
        stream=sys.stderr, format="%(asctime)s %(levelname).1s %(name)s: %(message)s"
    )
    logging.getLogger().setLevel(logging.WARNING if verbosity < 1 else logging.INFO)
    logging.getLogger("quasar").setLevel(logging.INFO if verbosity < 1 else logging.DEBUG)


def put_environment_on_path() -> None:
    """Let children find this environment's tools: torch calls `ninja` by name to compile."""
    own = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if own not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, [own, path]))


def build_parser() -> argparse.ArgumentParser:
    """All commands; each one's function is its `run` default."""
    parser = argparse.ArgumentParser(
        prog="quasar",
        description="Reinforcement learning of OpenQASM 3 circuits with a verification tool.",
        epilog="Start here: quasar doctor, then quasar train --config laptop",
    )
    common = _common_options()
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable, summary: str, example: str, *, under: Any = subparsers):
        made = under.add_parser(
            name,
            parents=[common],
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"Example: {example}",
        )
        made.set_defaults(run=run)
        return made

    _add_config(subparsers.add_parser("config", help="see the configuration"), command)
    _add_dataset(subparsers.add_parser("dataset", help="make the training data"), command)
    _add_problems(subparsers.add_parser("problems", help="see the graph problems"), command)
    _add_solve(command)
    service_arguments.add_verify(command)
    service_arguments.add_mcp(command)
    _add_sft(command)
    _add_train(command)
    _add_rollouts(subparsers.add_parser("rollouts", help="see what a run sampled"), command)
    _add_generate(command)
    _add_evaluate(command)
    _add_compare(command)
    _add_sweep(command)
    service_arguments.add_serve(command)
    service_arguments.add_ask(command)
    service_arguments.add_keys(
        subparsers.add_parser("keys", help="make API keys of the endpoint"), command
    )
    _add_plan(command)
    command(
        "doctor",
        commands.doctor,
        "check this machine and say what to mend",
        "quasar doctor --config single-gpu",
    )
    return parser


def _common_options() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config",
        metavar="PRESET|FILE",
        help=f"preset ({', '.join(PRESETS)}) or YAML file; default: laptop",
    )
    common.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override one value, e.g. grpo.iterations=10; may be repeated",
    )
    common.add_argument(
        "-v", "--verbose", action="count", default=0, help="log more; repeat for still more"
    )
    return common


def _add_config(group: argparse.ArgumentParser, command: Callable) -> None:
    under = group.add_subparsers(metavar="COMMAND", required=True)
    show = command(
        "show",
        commands.config_show,
        "print the resolved configuration as commented YAML",
        "quasar config show laptop --set grpo.iterations=10 > my.yaml",
        under=under,
    )
    show.add_argument("source", nargs="?", metavar="PRESET|FILE", help="the same as --config")


def _add_dataset(group: argparse.ArgumentParser, command: Callable) -> None:
    under = group.add_subparsers(metavar="COMMAND", required=True)
    generate = command(
        "generate",
        data_commands.dataset_generate,
        "generate solved problems as training, validation and test files",
        "quasar dataset generate --output data --set dataset.num_examples=200",
        under=under,
    )
    generate.add_argument("--output", required=True, type=Path, metavar="DIR")

    describe = command(
        "describe",
        data_commands.dataset_describe,
        "count, measure and check a dataset (exit 1: a leak or a wrong optimum); write its card",
        "quasar dataset describe data --output data",
        under=under,
    )
    describe.add_argument("dataset", type=Path, metavar="DIR|FILE")
    describe.add_argument(
        "--output", type=Path, metavar="DIR", help="write README.md and figures there"
    )
    traces = command(
        "traces",
        data_commands.dataset_traces,
        "write mistakes, the tool's answers to them, and the corrected circuits",
        "quasar dataset traces --problems data/train.jsonl --output traces.jsonl",
        under=under,
    )
    traces.add_argument("--problems", required=True, type=Path, metavar="FILE")
    traces.add_argument("--output", required=True, type=Path, metavar="FILE.jsonl")
    importing = command(
        "import",
        data_commands.dataset_import,
        "turn the published system's raw records into a problem file",
        "quasar dataset import raw_records/ --output published.jsonl",
        under=under,
    )
    importing.add_argument("source", type=Path, metavar="DIR|FILE")
    importing.add_argument("--output", required=True, type=Path, metavar="FILE")
    export = command(
        "export",
        data_commands.dataset_export,
        "write a dataset as Parquet shards with a card, in the Hugging Face layout",
        "quasar dataset export data --output hub",
        under=under,
    )
    export.add_argument("dataset", type=Path, metavar="DIR")
    export.add_argument("--output", required=True, type=Path, metavar="DIR")
    export.add_argument("--rows-per-file", type=positive, default=5000, metavar="N")


def _add_problems(group: argparse.ArgumentParser, command: Callable) -> None:
    under = group.add_subparsers(metavar="COMMAND", required=True)
    listed = command(
        "list",
        data_commands.problems_list,
        "name the problems that can be built, each with its question",
        "quasar problems list",
        under=under,
    )
    show = command(
        "show",
        data_commands.problems_show,
        "explain one problem: formula, answer, attributes, sizes, an example",
        "quasar problems show max_flow",
        under=under,
    )
    show.add_argument("name", metavar="NAME", help="as `quasar problems list` gives it")
    check = command(
        "check",
        data_commands.problems_check,
        "count the rows of a file whose Hamiltonian is rebuilt term by term (exit 1: not all)",
        "quasar problems check --problems data/test.jsonl --json",
        under=under,
    )
    check.add_argument("--problems", required=True, type=Path, metavar="FILE")
    for made in (listed, show, check):
        made.add_argument("--json", action="store_true", help="print JSON")


def _add_solve(command: Callable) -> None:
    solve = command(
        "solve",
        data_commands.solve,
        "solve the problems of a file anew and compare with its reference circuits",
        "quasar solve --problems data/test.jsonl --ansatz qaoa --layers 4 --output solved.jsonl",
    )
    solve.add_argument("--problems", required=True, type=Path, metavar="FILE")
    solve.add_argument("--output", required=True, type=Path, metavar="FILE.jsonl")
    solve.add_argument(
        "--ansatz",
        default=data_commands.OWN,
        metavar="NAME",
        help="qaoa, ma_qaoa, sim_1 to sim_19, adaptive, or own (default): that of each row's "
        "reference circuit",
    )
    solve.add_argument("--layers", type=positive, metavar="P", help="default: those of each row")
    solve.add_argument(
        "--decimals", type=positive, default=4, metavar="D", help="of the angles; default: 4"
    )


def _add_resume(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--resume",
        type=Path,
        metavar="RUN_DIR",
        help=f"go on with this run (with its {commands.RUN_CONFIG_FILE} unless --config is given)",
    )


def _add_sft(command: Callable) -> None:
    sft = command(
        "sft",
        commands.sft,
        "make the dataset and fine-tune on it, without GRPO: the first half of train",
        "quasar sft --config laptop --set run.name=first",
    )
    _add_resume(sft)


def _add_train(command: Callable) -> None:
    train = command(
        "train",
        commands.train,
        "run the main job: dataset, supervised fine-tuning, GRPO, evaluation, report",
        "quasar train --config laptop --set run.name=first --set grpo.iterations=20",
    )
    _add_resume(train)


def _add_rollouts(group: argparse.ArgumentParser, command: Callable) -> None:
    under = group.add_subparsers(metavar="COMMAND", required=True)
    listed = command(
        "list",
        rollout_commands.rollouts_list,
        "list the steps of a run, or the rollouts of one step",
        "quasar rollouts list laptop --step 12",
        under=under,
    )
    show = command(
        "show",
        rollout_commands.rollouts_show,
        "show rollouts of a step turn by turn; without --group and --sample the best, the median "
        "and the worst",
        "quasar rollouts show laptop --step 12 --group 3 --sample 0",
        under=under,
    )
    for made in (listed, show):
        made.add_argument(
            "run_name", metavar="RUN", help="run directory, or name of a run in run.directory"
        )
        made.add_argument("--step", type=positive, required=made is show, metavar="S")
        made.add_argument("--json", action="store_true", help="print JSON")
    show.add_argument("--group", type=int, metavar="G", help="prompt within the step, from 0")
    show.add_argument("--sample", type=int, metavar="K", help="rollout of its group, from 0")


def _add_generate(command: Callable) -> None:
    generate = command(
        "generate",
        commands.generate,
        "sample completions for a file of problems",
        "quasar generate --checkpoint runs/laptop --problems data/test.jsonl "
        "--samples 10 --output g.jsonl",
    )
    generate.add_argument(
        "--checkpoint",
        required=True,
        type=Path,
        metavar="DIR",
        help="run directory, or model in Hugging Face layout",
    )
    generate.add_argument("--problems", required=True, type=Path, metavar="FILE")
    generate.add_argument("--samples", required=True, type=positive, metavar="K")
    generate.add_argument("--output", required=True, type=Path, metavar="FILE.jsonl")
    generate.add_argument(
        "--temperature", type=float, metavar="T", help="the same as --set evaluation.temperature=T"
    )
    generate.add_argument(
        "--constrained",
        action="store_true",
        default=None,
        help="only valid programs; the same as --set generation.constrained=true",
    )


def _add_evaluate(command: Callable) -> None:
    evaluate = command(
        "evaluate",
        commands.evaluate,
        "score a file of completions and write metrics and a report",
        "quasar evaluate --problems data/test.jsonl --generations g.jsonl --output report",
    )
    evaluate.add_argument("--problems", required=True, type=Path, metavar="FILE")
    evaluate.add_argument("--generations", required=True, type=Path, metavar="FILE")
    evaluate.add_argument("--output", required=True, type=Path, metavar="DIR")
    evaluate.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes that verify; default: verification.num_workers",
    )
    evaluate.add_argument(
        "--device",
        choices=DEVICES,
        metavar="NAME",
        help="compile for this device and run one circuit a problem under its noise: "
        "%(choices)s; default: compile for evaluation.device, no noise",
    )


def _add_compare(command: Callable) -> None:
    compare = command(
        "compare",
        commands.compare,
        "put evaluations side by side, with paired tests over the same problems",
        "quasar compare eval/before eval/after --output comparison.html",
    )
    compare.add_argument("directories", nargs="+", type=Path, metavar="DIR")
    compare.add_argument(
        "--output",
        type=Path,
        default=Path("comparison.html"),
        metavar="FILE",
        help="page to write; default: comparison.html",
    )


def _add_sweep(command: Callable) -> None:
    sweep = command(
        "sweep",
        commands.sweep,
        "train one trial for each set of configuration values (Ray Tune)",
        "quasar sweep --param reward.weights.expectation=0.2,0.4 "
        "--param grpo.learning_rate=1e-4,3e-4",
    )
    sweep.add_argument(
        "--param",
        dest="params",
        action="append",
        default=[],
        metavar="KEY=V1,V2,...",
        help="a configuration value and the values to try, or KEY=LOW..HIGH and "
        "KEY=log:LOW..HIGH with --search random; may be repeated",
    )
    sweep.add_argument(
        "--preset",
        choices=("ablation",),
        help="ablation: the full reward, without each of its parts, and validity alone",
    )
    sweep.add_argument(
        "--search", choices=("grid", "random"), default="grid", help="how values are combined"
    )
    sweep.add_argument(
        "--scheduler",
        choices=("none", "asha", "pbt"),
        default="none",
        help="asha stops bad trials early; pbt moves the values of running trials",
    )
    sweep.add_argument(
        "--num-samples",
        type=positive,
        default=1,
        metavar="N",
        help="grid and preset: repetitions with another seed each; random: number of trials",
    )


def _add_plan(command: Callable) -> None:
    plan = command(
        "plan",
        commands.plan,
        "estimate memory and time of a run on GPUs before it is started",
        "quasar plan --config cluster-4b --gpus 16 --gpu-memory 80",
    )
    plan.add_argument("--gpus", type=positive, required=True, metavar="N", help="number of GPUs")
    plan.add_argument(
        "--gpu-memory", type=positive, required=True, metavar="GIB", help="memory of each, GiB"
    )
    plan.add_argument(
        "--models",
        default="4B,14B,32B",
        metavar="NAME,...",
        help="Qwen3 sizes (0.6B, 4B, 14B, 32B), model directories or hub names; default: "
        "4B,14B,32B; 'config' is the configuration's own model",
    )


if __name__ == "__main__":
    sys.exit(main())
