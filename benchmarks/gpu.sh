#!/usr/bin/env bash
# On a machine with a GPU: is every form equal to the plain one, and how fast is it?
#   bash benchmarks/gpu.sh [FOLDER]     (work_dirs/gpu)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-work_dirs/gpu}
python=${PYTHON:-python}
"$python" -c 'import torch; raise SystemExit(not torch.cuda.is_available())' 2> /dev/null || {
    echo "error: there is no CUDA device, or no torch in $python" >&2
    exit 1
}
mkdir -p "$folder"

"$python" -m benchmarks.forms --device cuda --out "$folder/forms.md"
"$python" -m benchmarks.compare --device cuda --settings default --precision fp32 bf16 \
    --compile reduce-overhead --runs 3 --results "$folder/speed.json"
"$python" -m benchmarks.report --results "$folder/speed.json" \
    --chart "$folder/speed.png" > "$folder/speed.md"
echo "written: $folder/forms.md, speed.md, speed.json, speed.png"
