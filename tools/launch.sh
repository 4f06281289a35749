# Sourced by the scripts beside it, which start a tool in many processes.
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONPATH="$TOOLS/..:${PYTHONPATH:-}"

# need_words NUMBER USAGE "$@": end with the usage where there are fewer words.
need_words() {
    if [ "$(($# - 2))" -lt "$1" ]; then
        echo "usage: $0 $2" >&2
        exit 2
    fi
}

# with_torchrun PROCESSES TOOL [arguments]
with_torchrun() {
    exec python -m torch.distributed.run \
        --nnodes="${NNODES:-1}" \
        --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" \
        --master_port="${PORT:-29500}" \
        --nproc_per_node="$1" \
        "$TOOLS/$2" --launcher pytorch "${@:3}"
}

# with_slurm PARTITION JOB_NAME TOOL [arguments]
with_slurm() {
    local gpus=${GPUS:-8}
    local per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
    # SRUN_ARGS is a list of words on purpose.
    # shellcheck disable=SC2086
    exec srun -p "$1" \
        --job-name="$2" \
        --gres="gpu:$per_node" \
        --ntasks="$gpus" \
        --ntasks-per-node="$per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} \
        python -u "$TOOLS/$3" --launcher slurm "${@:4}"
}
