"""The ideas of structures.py: what each says, where its lines go, and what must not stand there already.

Lines are added at places that other ideas leave alone, in an order that keeps every gradient right whatever was added
before: what the forward pass does last, the backward pass undoes first. Tables that are looked up cost no operations
worth counting, as the embedding never did; what multiplies is counted by the size of its parameters.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Idea:
    """Hold an idea: its name, what is hoped for (in truth: `helps`, `neutral`, `harms`, `breaks`), its sentence.

    `adds` are lines by place, `swaps` texts by what stands there; it fits where no text of `marks` stands in the
    program and every one of `needs` does.
    """

    name: str
    truth: str
    says: str
    marks: tuple[str, ...]
    adds: tuple[tuple[str, str], ...] = ()
    swaps: tuple[tuple[str, str], ...] = ()
    needs: tuple[str, ...] = ()


# Lines of the first program that do several things at once, and the same with a line for each.
OPENINGS = (
    (
        '        h = self.params["wte"][x].reshape(len(x), -1)\n',
        '        e = self.params["wte"][x]\n        h = e.reshape(len(x), -1)\n',
    ),
    (
        '            a, slope = activate(h @ self.params[f"h{i}"])\n            tape.append((h, slope))\n',
        '            inner = h\n            z = inner @ self.params[f"h{i}"]\n            a, slope = activate(z)\n'
        "            tape.append((inner, slope))\n",
    ),
    (
        '        return h @ self.params["lm_head"], h, tape\n',
        '        logits = h @ self.params["lm_head"]\n        return logits, h, tape\n',
    ),
    ('        grads = {"lm_head": h.T @ d}\n', '        grads = {}\n        grads["lm_head"] = h.T @ d\n'),
    ("            dz = d * slope\n", "            da = d\n            dz = da * slope\n"),
    (
        '        grads["wte"] = np.zeros_like(self.params["wte"])\n'
        '        np.add.at(grads["wte"], x.ravel(), d.reshape(-1, EMBED_DIM))\n',
        "        de = d.reshape(len(x), CONTEXT, EMBED_DIM)\n"
        '        grads["wte"] = np.zeros_like(self.params["wte"])\n'
        '        np.add.at(grads["wte"], x.ravel(), de.reshape(-1, EMBED_DIM))\n',
    ),
    (
        "            p -= lr * (m / (1 - beta1**self.t)) / (np.sqrt(v / (1 - beta2**self.t)) + 1e-8)\n",
        "            up = m / (1 - beta1**self.t)\n            size = v / (1 - beta2**self.t)\n"
        "            p -= lr * up / (np.sqrt(size) + 1e-8)\n",
    ),
)

# Where lines are added: after a line or before it; a star stands for the rest of a line.
PLACES = {
    "import": ("before", "from prepare import FLOP_BUDGET*"),
    "constants": ("after", "FINAL_LR_FRAC = *"),
    "functions": ("before", "class MLP:"),
    "parameters": ("after", '        self.params["lm_head"] = *'),
    "embedded": ("before", "        h = e.reshape(len(x), -1)"),
    "embedded back": ("after", "        de = d.reshape(len(x), CONTEXT, EMBED_DIM)"),
    "input": ("before", "        tape = []"),
    "input back": ("before", "        de = d.reshape(len(x), CONTEXT, EMBED_DIM)"),
    "inner": ("before", '            z = inner @ self.params[f"h{i}"]'),
    "inner back": ("before", "            d = back*"),
    "sums": ("after", '            z = inner @ self.params[f"h{i}"]'),
    "sums back": ("before", '            grads[f"h{i}"] = h.T @ dz'),
    "outer": ("before", "            tape.append((inner, slope))"),
    "outer back": ("after", "            da = d"),
    "beside back": ("after", '            back = dz @ self.params[f"h{i}"].T'),
    "last": ("before", '        logits = h @ self.params["lm_head"]'),
    "last back": ("after", '        d = d @ self.params["lm_head"].T'),
    "logits": ("before", "        return logits, h, tape"),
    "logits back": ("after", "        grads = {}"),
    "before the way": ("before", "        logits, h, tape = self.forward(x)"),
    "after the way": ("after", "        logits, h, tape = self.forward(x)"),
    "loss": ("after", "        loss = -float(logp[rows, y].mean())"),
    "errors": ("after", "        d[rows, y] -= 1"),
    "rates": ("after", "        self.lrs = *"),
    "gradients": ("after", "        beta1, beta2 = ADAM_BETAS"),
    "step": ("before", "            p -= *"),
    "cooldown": ("before", "        return cooldown * 1.0*"),
    "begin": ("before", "train_loader = *"),
    "every step": ("after", "    optimizer.step(grads, lrm)"),
    "end": ("before", "# Final eval"),
}

COUNTED = (
    'num_flops_per_token = 6 * (num_params - model.params["wte"].size)\n',
    'num_lookups = sum(p.size for name, p in model.params.items() if name == "wte" or name.startswith("table_"))\n'
    "num_flops_per_token = 6 * (num_params - num_lookups)\n",
)
