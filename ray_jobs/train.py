"""The main job on a cluster: dataset, supervised fine-tuning, GRPO, evaluation, report.

Takes the arguments of `quasar train`; the exit status is the job's.
Submit from the root of the project:

    ray job submit --runtime-env ray_jobs/train.yaml --submission-id first -- \
        python ray_jobs/train.py --config cluster-4b --set run.directory=/shared/runs

Go on with a run after its job has ended, at its last checkpoint:

    ray job submit --runtime-env ray_jobs/train.yaml -- \
        python ray_jobs/train.py --resume /shared/runs/cluster-4b

All paths must be seen by every node of the cluster. See ray_jobs/README.md.
"""

import sys

from quasar.cli.main import main
from quasar.cli.settings import in_job

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]], prepare=in_job))
