"""Generate solved problems: training, validation and test files.

Takes the arguments of `quasar dataset generate`; the exit status is the job's.
Submit from the root of the project:

    ray job submit --runtime-env ray_jobs/dataset.yaml -- \
        python ray_jobs/dataset.py --config cluster-4b --output /shared/data

All paths must be seen by every node of the cluster. See ray_jobs/README.md.
"""

import sys

from quasar.cli.main import main
from quasar.cli.settings import in_job

if __name__ == "__main__":
    sys.exit(main(["dataset", "generate", *sys.argv[1:]], prepare=in_job))
