"""Score a file of completions on a cluster: metrics and a report.

Takes the arguments of `quasar evaluate`; the exit status is the job's. `--workers` verifier actors
do the work, on whichever nodes have room (`verification.nodes`, `verification.cpus_per_worker`).
Submit from the root of the project:

    ray job submit --runtime-env ray_jobs/evaluate.yaml -- \
        python ray_jobs/evaluate.py --problems /shared/data/test.jsonl \
        --generations /shared/generations.jsonl --output /shared/report --workers 32

All paths must be seen by every node of the cluster. See ray_jobs/README.md.
"""

import sys

from quasar.cli.main import main
from quasar.cli.settings import in_job

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]], prepare=in_job))
