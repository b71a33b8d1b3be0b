"""Arguments of the commands that train or look at training: sft to plan."""

import argparse
from collections.abc import Callable
from pathlib import Path

from quasar.cli.arguments.types import positive
from quasar.cli.commands import jobs as commands
from quasar.cli.commands import rollouts as rollout_commands


def add_sft(command: Callable) -> None:
    """`quasar sft`."""
    sft = command(
        "sft",
        commands.sft,
        "make the dataset and fine-tune on it, without GRPO: the first half of train",
        "quasar sft --config laptop --set run.name=first",
    )
    _add_resume(sft)


def add_improve(command: Callable) -> None:
    """`quasar improve`."""
    improve = command(
        "improve",
        commands.improve,
        "improve a model by itself, in rounds: sample, verify, optimise the best, imitate it; "
        "before GRPO, from the run's fine-tuned model or policy.model",
        "quasar improve --resume runs/policy --set improve.rounds=3",
    )
    _add_resume(improve)


def add_train(command: Callable) -> None:
    """`quasar train`."""
    train = command(
        "train",
        commands.train,
        "run the main job: dataset, supervised fine-tuning, GRPO, evaluation, report",
        "quasar train --config laptop --set run.name=first --set grpo.iterations=20",
    )
    _add_resume(train)


def add_rollouts(group: argparse.ArgumentParser, command: Callable) -> None:
    """`quasar rollouts`."""
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
    rescored = command(
        "rescore",
        rollout_commands.rollouts_rescore,
        "grade a run's rollouts anew under another reward, without sampling, and say what changes",
        "quasar rollouts rescore laptop --set reward.weights.optimum_most_probable=1",
        under=under,
    )
    rescored.add_argument(
        "--verify",
        action="store_true",
        help="verify all rollouts again, also where the parts that were kept suffice",
    )
    rescored.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes that verify, on a cluster actors; default: verification.num_workers",
    )
    exported = command(
        "export",
        rollout_commands.rollouts_export,
        "write a run's best answers, or pairs of a better and a worse one, for other trainers",
        "quasar rollouts export laptop --format dpo --output pairs.jsonl --least-gap 0.2",
        under=under,
    )
    exported.add_argument(
        "--format",
        required=True,
        choices=("sft", "dpo"),
        help="sft: conversations (messages); dpo: preference pairs (prompt, chosen, rejected)",
    )
    exported.add_argument("--output", required=True, type=Path, metavar="FILE.jsonl")
    exported.add_argument(
        "--best",
        type=positive,
        default=1,
        metavar="N",
        help="most answers, or pairs, of a prompt; default: 1",
    )
    exported.add_argument(
        "--min-reward", type=float, metavar="R", help="least reward of what is to be learned"
    )
    exported.add_argument(
        "--least-gap",
        type=float,
        metavar="G",
        help="dpo: least difference of reward in a pair; default: 0.1",
    )
    for made in (listed, show, rescored, exported):
        made.add_argument(
            "run_name", metavar="RUN", help="run directory, or name of a run in run.directory"
        )
        made.add_argument(
            "--step",
            type=positive,
            required=made is show,
            metavar="S",
            help="update" if made is show else "update; default: all",
        )
        if made is not exported:
            made.add_argument("--json", action="store_true", help="print JSON")
    show.add_argument("--group", type=int, metavar="G", help="prompt within the step, from 0")
    show.add_argument("--sample", type=int, metavar="K", help="rollout of its group, from 0")


def add_sweep(command: Callable) -> None:
    """`quasar sweep`."""
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


def add_plan(command: Callable) -> None:
    """`quasar plan`."""
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
        "--response-tokens",
        type=positive,
        metavar="N",
        help="mean length of a response, for the times; default: all as long as "
        "generation.max_response_tokens allows",
    )
    plan.add_argument(
        "--models",
        default="4B,14B,32B",
        metavar="NAME,...",
        help="Qwen3 sizes (0.6B, 4B, 14B, 32B), model directories or hub names; default: "
        "4B,14B,32B; 'config' is the configuration's own model",
    )


def add_hub(command: Callable) -> None:
    """`quasar push` and `quasar pull`."""
    push = command(
        "push",
        commands.push,
        "upload a run's model, configuration and card to the Hugging Face hub",
        "quasar push runs/laptop OWNER/circuits --private",
    )
    push.add_argument("run_directory", type=Path, metavar="RUN", help="run directory")
    push.add_argument("repository", metavar="OWNER/NAME", help="made where it is not there")
    push.add_argument("--private", action="store_true", help="make it for its owner alone")
    pull = command(
        "pull",
        commands.pull,
        "download a model from the Hugging Face hub as a run directory, to serve or train on",
        "quasar pull OWNER/circuits --output circuits",
    )
    pull.add_argument("repository", metavar="OWNER/NAME")
    pull.add_argument("--revision", metavar="NAME", help="branch, tag or commit; default: main")
    pull.add_argument("--output", type=Path, metavar="DIR", help="default: NAME")


def _add_resume(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--resume",
        type=Path,
        metavar="RUN_DIR",
        help="go on with this run (with its config.yaml unless --config is given)",
    )
