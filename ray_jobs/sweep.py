"""Train one trial for each combination of reward weights (Ray Tune).

Takes the arguments of `quasar sweep`; the exit status is the job's.
Submit from the root of the project:

    ray job submit --runtime-env ray_jobs/sweep.yaml -- \
        python ray_jobs/sweep.py --config cluster-4b --set run.directory=/shared/runs \
        --param reward.weights.expectation=0.2,0.4 --param reward.weights.distribution=0.2,0.4

All paths must be seen by every node of the cluster. See ray_jobs/README.md.
"""

import sys

from quasar.cli.main import main
from quasar.cli.settings import in_job

if __name__ == "__main__":
    sys.exit(main(["sweep", *sys.argv[1:]], prepare=in_job))
