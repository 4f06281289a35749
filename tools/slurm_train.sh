#!/usr/bin/env bash
# slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
# GPUS, GPUS_PER_NODE, CPUS_PER_TASK and SRUN_ARGS may be set.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"

need_words 4 'PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]' "$@"
with_slurm "$1" "$2" train.py "$3" --work-dir "$4" "${@:5}"
