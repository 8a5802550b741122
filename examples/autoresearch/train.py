"""
Autoresearch example: a byte-level language model on one core, in NumPy. This is the file that experiments edit.
Usage: uv run train.py        (or: python train.py)
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import gc
import math
import resource
import time

import numpy as np
from prepare import FLOP_BUDGET, Tokenizer, evaluate_bpb, make_dataloader

# ---------------------------------------------------------------------------
# Hyperparameters (edit these directly, no CLI flags needed)
# ---------------------------------------------------------------------------

# Model architecture
CONTEXT = 16  # bytes that the model sees
EMBED_DIM = 16  # width of a byte's embedding
HEAD_DIM = 64  # width of the hidden layers is depth * HEAD_DIM
DEPTH = 2  # number of hidden layers
ACTIVATION: str = "relu"  # "relu", "relu2" or "tanh"

# Optimization
TOTAL_BATCH_SIZE = 2**8  # bytes predicted per optimizer step
EMBEDDING_LR = 0.01  # learning rate for the embeddings (Adam)
UNEMBEDDING_LR = 0.002  # learning rate for the output layer (Adam)
MATRIX_LR = 0.001  # learning rate for the hidden layers (Adam)
WEIGHT_DECAY = 0.01  # decoupled, for the hidden layers
ADAM_BETAS = (0.9, 0.95)  # Adam beta1, beta2
WARMUP_RATIO = 0.0  # fraction of the budget for LR warmup
WARMDOWN_RATIO = 0.3  # fraction of the budget for LR warmdown
FINAL_LR_FRAC = 0.1  # final LR as fraction of initial

# ---------------------------------------------------------------------------
# Model: embeddings of the last bytes, side by side, through residual hidden layers
# ---------------------------------------------------------------------------


def activate(z):
    """Return the activation and its derivative."""
    if ACTIVATION == "tanh":
        a = np.tanh(z)
        return a, 1 - a * a
    a = np.maximum(z, 0)
    if ACTIVATION == "relu2":
        return a * a, 2 * a
    return a, (z > 0).astype(z.dtype)


def normal(shape, scale):
    return (np.random.standard_normal(shape) * scale).astype(np.float32)


class MLP:
    def __init__(self, vocab_size):
        width = DEPTH * HEAD_DIM
        fan_ins = [CONTEXT * EMBED_DIM] + [width] * (DEPTH - 1)
        self.params = {"wte": normal((vocab_size, EMBED_DIM), 1.0)}
        for i, fan_in in enumerate(fan_ins):
            self.params[f"h{i}"] = normal((fan_in, width), math.sqrt(2 / fan_in))
        self.params["lm_head"] = normal((width, vocab_size), 0.01)

    def forward(self, x):
        """Return the logits and what the way back needs."""
        h = self.params["wte"][x].reshape(len(x), -1)
        tape = []
        for i in range(DEPTH):
            a, slope = activate(h @ self.params[f"h{i}"])
            tape.append((h, slope))
            h = a if i == 0 else h + a
        return h @ self.params["lm_head"], h, tape

    def __call__(self, x, y):
        """Return the nats of each target."""
        return -log_softmax(self.forward(x)[0])[np.arange(len(y)), y]

    def loss_and_grads(self, x, y):
        logits, h, tape = self.forward(x)
        logp = log_softmax(logits)
        rows = np.arange(len(y))
        loss = -float(logp[rows, y].mean())
        d = np.exp(logp)
        d[rows, y] -= 1
        d /= len(y)
        grads = {"lm_head": h.T @ d}
        d = d @ self.params["lm_head"].T
        for i in reversed(range(DEPTH)):
            h, slope = tape[i]
            dz = d * slope
            grads[f"h{i}"] = h.T @ dz
            back = dz @ self.params[f"h{i}"].T
            d = back if i == 0 else d + back
        grads["wte"] = np.zeros_like(self.params["wte"])
        np.add.at(grads["wte"], x.ravel(), d.reshape(-1, EMBED_DIM))
        return loss, grads


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class AdamW:
    def __init__(self, params):
        self.params = params
        self.m = {name: np.zeros_like(p) for name, p in params.items()}
        self.v = {name: np.zeros_like(p) for name, p in params.items()}
        self.lrs = dict.fromkeys(params, MATRIX_LR) | {"wte": EMBEDDING_LR, "lm_head": UNEMBEDDING_LR}
        self.t = 0

    def step(self, grads, lrm):
        self.t += 1
        beta1, beta2 = ADAM_BETAS
        for name, p in self.params.items():
            g, m, v = grads[name], self.m[name], self.v[name]
            m += (1 - beta1) * (g - m)
            v += (1 - beta2) * (g * g - v)
            lr = self.lrs[name] * lrm
            if name.startswith("h"):
                p *= 1 - lr * WEIGHT_DECAY
            p -= lr * (m / (1 - beta1**self.t)) / (np.sqrt(v / (1 - beta2**self.t)) + 1e-8)


# ---------------------------------------------------------------------------
# Setup
# ---------------------------------------------------------------------------

t_start = time.time()
np.random.seed(42)
PEAK_FLOPS = 100e9  # of one core in float32, about

tokenizer = Tokenizer.from_directory()
vocab_size = tokenizer.get_vocab_size()
print(f"Vocab size: {vocab_size:,}")

model = MLP(vocab_size)
num_params = sum(p.size for p in model.params.values())
num_flops_per_token = 6 * (num_params - model.params["wte"].size)
print(f"Parameters: {num_params:,}")
print(f"Estimated FLOPs per token: {num_flops_per_token:e}")

optimizer = AdamW(model.params)
train_loader = make_dataloader(TOTAL_BATCH_SIZE, CONTEXT, "train")
x, y, epoch = next(train_loader)  # prefetch first batch

print(f"FLOP budget: {FLOP_BUDGET:e}")


def get_lr_multiplier(progress):
    if progress < WARMUP_RATIO:
        return progress / WARMUP_RATIO if WARMUP_RATIO > 0 else 1.0
    elif progress < 1.0 - WARMDOWN_RATIO:
        return 1.0
    else:
        cooldown = (1.0 - progress) / WARMDOWN_RATIO
        return cooldown * 1.0 + (1 - cooldown) * FINAL_LR_FRAC


# ---------------------------------------------------------------------------
# Training loop: the budget counts operations, so that a seed gives the same result on a busy machine
# ---------------------------------------------------------------------------

smooth_train_loss = 0
total_training_time = 0
flops_per_step = num_flops_per_token * TOTAL_BATCH_SIZE
step = 0

while True:
    t0 = time.time()
    progress = min(step * flops_per_step / FLOP_BUDGET, 1.0)
    lrm = get_lr_multiplier(progress)
    train_loss_f, grads = model.loss_and_grads(x, y)
    optimizer.step(grads, lrm)
    x, y, epoch = next(train_loader)

    # Fast fail: abort if loss is exploding or NaN
    if math.isnan(train_loss_f) or train_loss_f > 100:
        print("FAIL")
        exit(1)

    dt = max(time.time() - t0, 1e-6)
    total_training_time += dt

    # Logging
    ema_beta = 0.9
    smooth_train_loss = ema_beta * smooth_train_loss + (1 - ema_beta) * train_loss_f
    debiased_smooth_loss = smooth_train_loss / (1 - ema_beta ** (step + 1))
    pct_done = 100 * progress
    tok_per_sec = int(TOTAL_BATCH_SIZE / dt)
    mfu = 100 * flops_per_step / dt / PEAK_FLOPS
    remaining = max(0, (FLOP_BUDGET / flops_per_step - step - 1) * total_training_time / (step + 1))
    print(
        f"\rstep {step:05d} ({pct_done:.1f}%) | loss: {debiased_smooth_loss:.6f} | lrm: {lrm:.2f}"
        f" | dt: {dt * 1000:.0f}ms | tok/sec: {tok_per_sec:,} | mfu: {mfu:.1f}%"
        f" | epoch: {epoch} | remaining: {remaining:.0f}s    ",
        end="",
        flush=True,
    )

    # GC management
    if step == 0:
        gc.collect()
        gc.freeze()
        gc.disable()

    step += 1

    # The budget is spent
    if step * flops_per_step >= FLOP_BUDGET:
        break

print()  # newline after \r training log

total_tokens = step * TOTAL_BATCH_SIZE

# Final eval
val_bpb = evaluate_bpb(model, CONTEXT, TOTAL_BATCH_SIZE)

# Final summary
t_end = time.time()
steady_state_mfu = 100 * flops_per_step * step / total_training_time / PEAK_FLOPS
peak_vram_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # of the process: there is no device

print("---")
print(f"val_bpb:          {val_bpb:.6f}")
print(f"training_seconds: {total_training_time:.1f}")
print(f"total_seconds:    {t_end - t_start:.1f}")
print(f"peak_vram_mb:     {peak_vram_mb:.1f}")
print(f"mfu_percent:      {steady_state_mfu:.2f}")
print(f"total_tokens_M:   {total_tokens / 1e6:.1f}")
print(f"num_steps:        {step}")
print(f"num_params_M:     {num_params / 1e6:.1f}")
print(f"depth:            {DEPTH}")
