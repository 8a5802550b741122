#!/bin/bash
set -euo pipefail
python3 -c "import truth; assert truth.EXACT > 0"
grep -q "def integrate" integrate.py
