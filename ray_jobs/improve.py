"""Self-improvement on a cluster: rounds of sampling, verifying, optimising and imitating.

Takes the arguments of `quasar improve`; the exit status is the job's.
Submit from the root of the project:

    ray job submit --runtime-env ray_jobs/improve.yaml --submission-id improve -- \
        python ray_jobs/improve.py --resume /shared/runs/cluster-4b

GRPO goes on from it:

    ray job submit --runtime-env ray_jobs/train.yaml -- \
        python ray_jobs/train.py --resume /shared/runs/cluster-4b

All paths must be seen by every node of the cluster. See ray_jobs/README.md.
"""

import sys

from quasar.cli.main import main
from quasar.cli.settings import in_job

if __name__ == "__main__":
    sys.exit(main(["improve", *sys.argv[1:]], prepare=in_job))
