"""A training script as one would write it without an engine: `cycle_train.py SUBMITTED`, in seconds since 1970.

Prints how much later its first step was done.
"""

import json
import sys
import time

from cycle_work import first_step, load

if __name__ == "__main__":
    first_step(load(), 1e-3)
    print(json.dumps({"first_step_seconds": time.time() - float(sys.argv[1])}))
