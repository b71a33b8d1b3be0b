"""What a job's copy of the project has, by Ray's own packaging."""

from pathlib import Path

import pytest
import yaml
from ray._private.runtime_env.packaging import get_uri_for_directory

JOBS = sorted((Path(__file__).parents[2] / "ray_jobs").glob("*.yaml"))
SENT = ["quasar/runs/kept.py", "ray_jobs/train.py", "my.yaml", "problems.jsonl", "quasar/docs/x.py"]
LEFT_OUT = [
    "job.log",  # of `ray job submit … > job.log`: it grows while the directory is packed
    "logs/second.log",
    "nohup.out",
    "runs/laptop/grpo/steps.jsonl",
    "mlruns/0/meta.yaml",
    "mlflow.db",
    "mlflow.db-journal",
    ".venv/bin/python",
    "build/lib/x.py",
    "quasar_rl.egg-info/PKG-INFO",
    "quasar/__pycache__/x.pyc",
    ".pytest_cache/x",
    ".ruff_cache/x",
    ".hypothesis/x",
    "tests/test_x.py",
    "docs/x.md",
    "benchmarks/x.py",
]


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_what_changes_while_a_job_is_packed_is_not_sent(path, tmp_path):
    excludes = yaml.safe_load(path.read_text())["excludes"]

    def package() -> str:
        """The name of the package: a digest of all that is sent."""
        return get_uri_for_directory(str(tmp_path), include_gitignore=False, excludes=excludes)

    for name in (*SENT, *LEFT_OUT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a")
    before = package()
    for name in LEFT_OUT:
        (tmp_path / name).write_text("b")
        assert package() == before, name
    for name in SENT:
        (tmp_path / name).write_text("b")
        assert package() != before, name
        (tmp_path / name).write_text("a")
