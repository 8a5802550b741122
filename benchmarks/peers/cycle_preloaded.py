"""What the forkserver of `cycle_pool.py` loads before it forks: all that Headway's template has, too."""

import torch
from cycle_work import load

torch.set_num_threads(1)  # a fork of a process that ran several threads hangs
DATA = load()
torch.optim.AdamW([torch.zeros(1, requires_grad=True)], lr=0.1)  # the first one imports much
