#!/bin/bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python3 bench.py > .auto/last_run.log
cat .auto/last_run.log
