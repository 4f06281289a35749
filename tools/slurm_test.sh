#!/usr/bin/env bash
# slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS may be set.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"

need_words 4 'PARTITION JOB_NAME CONFIG CHECKPOINT [arguments of test.py]' "$@"
with_slurm "$1" "$2" test.py "$3" "$4" "${@:5}"
