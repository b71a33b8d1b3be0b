"""The MLflow run of a run: opened once, and again each time that the run goes on."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from quasar.datasets.io import write_text
from quasar.errors import TrainingError
from quasar.pipeline.run import Run
from quasar.pipeline.tracking import Tracker

logger = logging.getLogger(__name__)


@contextmanager
def tracked_run(run: Run) -> Iterator[Tracker]:
    """The run's MLflow run, re-opened where there is one; FAILED if an error leaves."""
    run.require_own_copy()
    tracker = _tracker(run)
    write_text(run.tracked_as_file, tracker.run_id)
    with tracker:
        if run.copy:
            run.copy.push()  # a place that cannot be written to is refused before hours of work
        yield tracker


def _tracker(run: Run) -> Tracker:
    known = run.tracked_as
    try:
        return Tracker.start(run.config, run_directory=run.directory, resume_run_id=known)
    except TrainingError as error:
        if known is None or not run.moved_store:
            raise
        # Another tracking.uri was asked for: its store need not know the run.
        logger.warning("%s; a new MLflow run is begun at the new one", error)
        return Tracker.start(run.config, run_directory=run.directory, tags={"continues": known})
