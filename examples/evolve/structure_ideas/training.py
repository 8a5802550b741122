"""Ideas about the training: loss, optimizer, schedule, the weights that are evaluated."""

from .places import Idea


def _cooldown(name, says, line):
    return Idea(
        name=name, truth="neutral", says=says, marks=("cooldown = 0.5", "cooldown = 1 -"), adds=(("cooldown", line),)
    )


TRAINING = (
    Idea(
        name="average",
        truth="neutral",
        says="evaluate with an exponential moving average of the weights.",
        marks=("averages",),
        adds=(
            ("constants", "AVERAGE_DECAY = 0.98  # of the weights that are evaluated\n"),
            ("begin", "averages = {name: p.copy() for name, p in model.params.items()}\n"),
            (
                "every step",
                "    decay = min(AVERAGE_DECAY, (step + 1) / (step + 10))\n"
                "    for name, p in model.params.items():\n"
                "        averages[name] += (1 - decay) * (p - averages[name])\n",
            ),
            ("end", "model.params.update(averages)\n\n"),
        ),
    ),
    _cooldown(
        "cosine",
        "the learning rate falls along half a cosine.",
        "        cooldown = 0.5 - 0.5 * math.cos(math.pi * cooldown)\n",
    ),
    _cooldown(
        "one_sqrt",
        "the learning rate falls fast at first, as 1 - sqrt.",
        "        cooldown = 1 - math.sqrt(1 - cooldown)\n",
    ),
    Idea(
        name="nesterov",
        truth="neutral",
        says="Adam looks ahead, as Nesterov's momentum does.",
        marks=("look ahead",),
        adds=(("step", "            up = beta1 * up + (1 - beta1) * g / (1 - beta1**self.t)  # look ahead\n"),),
    ),
    Idea(
        name="amsgrad",
        truth="harms",
        says="steps never grow again where gradients shrink: AMSGrad.",
        marks=("self.largest",),
        adds=(
            ("rates", "        self.largest = {name: np.zeros_like(p) for name, p in params.items()}\n"),
            ("step", "            size = self.largest[name] = np.maximum(self.largest[name], size)\n"),
        ),
    ),
    Idea(
        name="clip",
        truth="neutral",
        says="clip the norm of the whole gradient.",
        marks=("CLIP_NORM",),
        adds=(
            ("constants", "CLIP_NORM = 1.0  # of the gradient, at most\n"),
            (
                "gradients",
                "        norm = math.sqrt(sum(float((g * g).sum()) for g in grads.values()))\n"
                "        grads = {name: g * min(1.0, CLIP_NORM / (norm + 1e-12)) for name, g in grads.items()}\n",
            ),
        ),
    ),
    Idea(
        name="dropout",
        truth="harms",
        says="dropout on the embeddings, against overfitting.",
        marks=("self.mask",),
        adds=(
            ("parameters", "        self.mask = None\n"),
            (
                "before the way",
                "        mask = np.random.random((len(x), CONTEXT * EMBED_DIM)) > 0.2\n"
                "        self.mask = mask.astype(np.float32) / 0.8\n",
            ),
            ("input", "        if self.mask is not None:\n            h = h * self.mask\n"),
            ("after the way", "        dropped, self.mask = self.mask, None\n"),
            ("input back", "        d = d * dropped\n"),
        ),
    ),
    Idea(
        name="smoothing",
        truth="harms",
        says="label smoothing: a tenth of the target goes to all bytes.",
        marks=("0.1 * float(logp.mean())",),
        adds=(
            ("loss", "        loss = 0.9 * loss - 0.1 * float(logp.mean())\n"),
            ("errors", "        d[rows, y] += 0.1\n        d -= 0.1 / d.shape[1]\n"),
        ),
    ),
    Idea(
        name="sign_descent",
        truth="harms",
        says="take steps by the sign of the gradient, not by its size.",
        marks=("np.sign",),
        adds=(("step", "            up = np.sign(g) * np.sqrt(size)\n"),),
    ),
    Idea(
        name="gradient_noise",
        truth="harms",
        says="noise on the gradients, to leave bad valleys.",
        marks=("shaken",),
        adds=(
            (
                "gradients",
                "        shaken = {k: np.random.standard_normal(g.shape) * g.std() for k, g in grads.items()}\n"
                "        grads = {k: (g + shaken[k]).astype(np.float32) for k, g in grads.items()}\n",
            ),
        ),
    ),
)
