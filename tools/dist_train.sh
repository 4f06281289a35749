#!/usr/bin/env bash
# dist_train.sh CONFIG GPUS [arguments of train.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"

need_words 2 'CONFIG GPUS [arguments of train.py]' "$@"
with_torchrun "$2" train.py "$1" "${@:3}"
