"""What `quasar bench` does: as `quasar.cli.commands.jobs`."""

from argparse import Namespace
from contextlib import closing

from quasar.cli.settings import (
    existing,
    load,
    remote_settings,
    require_trained,
    sets_model,
    take_model,
)
from quasar.errors import ConfigError
from quasar.system.run_paths import model_directory

_DEFAULT_SET = "ising-v1"


def bench(arguments: Namespace) -> None:
    if arguments.schema or arguments.list or arguments.submit:
        load(arguments)  # so that a wrong setting is told, though none is used
    if arguments.schema:
        from quasar.evaluation.bench.result import schema_text

        print(schema_text())
        return
    if arguments.data is not None:
        existing(arguments.data, "--data")
    if arguments.submit is not None:
        _check(arguments)
        return
    if arguments.list:
        _list()
        return
    if arguments.output is None:
        raise ConfigError("--output FILE.json: say where the result is written")
    _run(arguments)


def _run(arguments: Namespace) -> None:
    remote = remote_settings(arguments)
    named = arguments.checkpoint or remote or sets_model(arguments)
    if arguments.baseline is not None and named:
        raise ConfigError(
            "--baseline, --checkpoint, --endpoint and --set policy.model: name one of them"
        )
    from quasar.evaluation.bench.run import chosen_sets, run_bench

    sets = chosen_sets(arguments.sets or _default(arguments), arguments.data)
    if arguments.baseline is None and remote is None:
        take_model(arguments, lambda: {problems.task for problems in sets})
    given = {"evaluation.temperature": arguments.temperature, **(remote or {})}
    config = load(arguments, **given)
    from quasar.evaluation.bench.models import (
        BaselineAnswerer,
        CheckpointAnswerer,
        EndpointAnswerer,
    )
    from quasar.reports.bench_table import print_result

    if arguments.baseline is not None:
        answerer = BaselineAnswerer(arguments.baseline, config)
    elif remote is not None:
        answerer = EndpointAnswerer(config)
    else:
        require_trained(arguments, config, [problems.task for problems in sets])
        directory = model_directory(arguments.checkpoint)
        answerer = CheckpointAnswerer(directory, arguments.checkpoint.resolve().name, config)
    with closing(answerer):
        result = run_bench(
            answerer,
            sets,
            samples=arguments.samples,
            output=arguments.output,
            config=config,
            workers=arguments.workers,
            baselines=arguments.baselines,
        )
    print_result(result)
    print(f"result: {arguments.output}")


def _default(arguments: Namespace) -> list[str]:
    return [] if arguments.data is not None else [_DEFAULT_SET]


def _check(arguments: Namespace) -> None:
    from quasar.evaluation.bench.run import check_result
    from quasar.reports.bench_table import print_result

    result = check_result(arguments.submit, data=arguments.data, workers=arguments.workers)
    print_result(result)
    answers = sum(entry.row.num_answers for entry in result.sets)
    print(f"{arguments.submit}: all {answers} answers verified again, every figure is theirs")


def _list() -> None:
    from quasar.evaluation.bench.sets import make_set, set_names

    for name in set_names():
        made = make_set(name)
        sizes = sorted({record.problem.num_qubits for record in made.records})
        print(
            f"{name:22} {len(made.records):3} problems of {sizes[0]} to {sizes[-1]} qubits, "
            f"digest {made.digest}"
        )
