#!/bin/bash
set -euo pipefail
python3 bench.py --check
