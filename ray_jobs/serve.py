"""The endpoint on a cluster; it answers as long as the job runs.

Takes the arguments of `quasar serve`; the exit status is the job's.
Submit from the root of the project:

    ray job submit --no-wait --runtime-env ray_jobs/serve.yaml --submission-id endpoint -- \
        python ray_jobs/serve.py --checkpoint /shared/model --set serving.host=0.0.0.0

All paths must be seen by every node of the cluster. See ray_jobs/README.md.
"""

import sys

from quasar.cli.main import main
from quasar.cli.settings import in_job

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]], prepare=in_job))
