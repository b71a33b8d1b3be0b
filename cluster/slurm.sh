#!/bin/bash
# The main job on Slurm: Ray on all nodes of the allocation, the job on the first, Ray stopped at
# its end. Submitted again, or requeued by Slurm, it goes on from the last checkpoint.
#   sbatch cluster/slurm.sh --config cluster-4b --set run.directory=/shared/runs
# Arguments are those of `quasar train`. Values to change are marked CHANGE.
#SBATCH --job-name=quasar
#SBATCH --nodes=2                  # cluster-4b: 8 learners and 8 rollout actors, 8 GPUs a node
#SBATCH --ntasks-per-node=1        # one Ray node each
#SBATCH --exclusive                # Ray's ports and memory are not shared
#SBATCH --gpus-per-node=8          # CHANGE
#SBATCH --cpus-per-task=64         # CHANGE: 32 for learners and rollouts, 16 to 32 for verifiers
#SBATCH --time=2-00:00:00
#SBATCH --requeue                  # after a node failure, from the last checkpoint
#SBATCH --output=quasar-%j.log
set -euo pipefail

# CHANGE: the environment that `make setup` made, on storage that all nodes see
source "${QUASAR_ENVIRONMENT:-.venv}/bin/activate"

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
address=${nodes[0]}:$((20000 + SLURM_JOB_ID % 10000))   # not Ray's port: two jobs never meet
export RAY_TMPDIR="/tmp/ray-$SLURM_JOB_ID"   # local, and short: it holds sockets
export PYTHONUNBUFFERED=1

# `symmetric-run` starts the head where the address is, a worker elsewhere, waits for all nodes,
# runs the command on the head and takes its exit status.
srun --kill-on-bad-exit=1 ray symmetric-run \
  --address "$address" --min-nodes "$SLURM_NNODES" \
  --num-cpus "$SLURM_CPUS_PER_TASK" --num-gpus "${SLURM_GPUS_ON_NODE:-0}" \
  --disable-usage-stats \
  -- env RAY_ADDRESS="$address" quasar train "$@"
