"""Dataset and supervised fine-tuning on a cluster: the first half of the main job.

Takes the arguments of `quasar sft`; the exit status is the job's.
Submit from the root of the project:

    ray job submit --runtime-env ray_jobs/sft.yaml --submission-id sft -- \
        python ray_jobs/sft.py --config cluster-4b --set run.directory=/shared/runs

GRPO goes on from it:

    ray job submit --runtime-env ray_jobs/train.yaml -- \
        python ray_jobs/train.py --resume /shared/runs/cluster-4b

All paths must be seen by every node of the cluster. See ray_jobs/README.md.
"""

import sys

from quasar.cli.main import main
from quasar.cli.settings import in_job

if __name__ == "__main__":
    sys.exit(main(["sft", *sys.argv[1:]], prepare=in_job))
