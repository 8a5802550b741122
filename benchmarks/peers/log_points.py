"""Log points with one logger and print what it cost: `log_points.py LOGGER FOLDER STEPS METRICS [VALUES]`.

The cost counts from the first call until everything is stored, over all threads and child processes; imports and the
start of the run are not in it. METRICS is how many a step has: 1 or 4. The same thousand values come again and again,
so that the loop costs next to nothing. With VALUES every value is another one, as a packer must see them: float64, or
float32 for values that single precision holds.
"""

import gc
import json
import math
import random
import sys
from array import array
from collections.abc import Sequence
from itertools import chain, islice, repeat
from pathlib import Path

from cost import cost_so_far
from loggers import open_logger, size_bytes

_CYCLE = 1000


def noisy_loss(steps: int, values: str) -> Sequence[float]:
    """Return a loss curve as training gives it: a power law under noise."""
    noise = random.Random(1)
    loss = [2.5 * (step + 1) ** -0.3 * math.exp(noise.gauss(0, 0.03)) for step in range(steps)]
    return array("f", loss).tolist() if values == "float32" else loss


def main(name: str, folder: Path, steps: int, metrics: int, values: str = "") -> None:
    """Log and print one line of JSON."""
    loss = noisy_loss(steps if values else _CYCLE, values)
    logger = open_logger(name, folder)
    logger.start()
    write = logger.write if metrics == 1 else logger.write_four
    empty = size_bytes(folder)
    gc.collect()
    began = cost_so_far()
    write(islice(chain.from_iterable(repeat(loss)), steps))
    logger.finish()
    cost = cost_so_far() - began
    stored = size_bytes(folder) - empty
    result = {"cpu_seconds": cost.cpu_seconds, "wall_seconds": cost.wall_seconds}
    print(json.dumps({**result, "bytes": stored, "points": steps * metrics}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
