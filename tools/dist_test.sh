#!/usr/bin/env bash
# dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]
# Several machines: NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launch.sh"

need_words 3 'CONFIG CHECKPOINT GPUS [arguments of test.py]' "$@"
with_torchrun "$3" test.py "$1" "$2" "${@:4}"
