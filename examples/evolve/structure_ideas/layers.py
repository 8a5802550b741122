"""Ideas about the layers: how they begin, what is normalised, added, scaled or gated."""

from .places import Idea


def _normed(name, truth, says, *, centred):
    """Return an idea: the last hidden state is normalised before the output layer."""
    middle = "        h = h - h.mean(axis=1, keepdims=True)\n" if centred else ""
    minus = "        d = d - d.mean(axis=1, keepdims=True)\n" if centred else ""
    return Idea(
        name=name,
        truth=truth,
        says=says,
        marks=("self.last_size",),
        adds=(
            (
                "last",
                f"{middle}        self.last_size = np.sqrt((h * h).mean(axis=1, keepdims=True) + 1e-6)\n"
                "        h = self.last = h / self.last_size\n",
            ),
            (
                "last back",
                f"        d = (d - self.last * (d * self.last).mean(axis=1, keepdims=True)) / self.last_size\n{minus}",
            ),
        ),
    )


LAYERS = (
    _normed("rms_last", "neutral", "normalise the last hidden state by its root mean square.", centred=False),
    _normed("layernorm_last", "neutral", "normalise the last hidden state to mean 0 and variance 1.", centred=True),
    Idea(
        name="pre_norm",
        truth="neutral",
        says="normalise what enters each further hidden layer; the residual path stays as it is.",
        marks=("self.inner_sizes",),
        adds=(
            (
                "inner",
                "            if i == 0:\n                self.inner_sizes = {}\n            else:\n"
                "                self.inner_sizes[i] = np.sqrt((h * h).mean(axis=1, keepdims=True) + 1e-6)\n"
                "                inner = h / self.inner_sizes[i]\n",
            ),
            (
                "inner back",
                "            if i > 0:\n"
                "                back = (back - h * (back * h).mean(axis=1, keepdims=True)) / self.inner_sizes[i]\n",
            ),
        ),
    ),
    Idea(
        name="hidden_bias",
        truth="neutral",
        says="the hidden layers get a bias.",
        marks=('f"bias{i}"',),
        adds=(
            (
                "parameters",
                '        for i in range(DEPTH):\n            self.params[f"bias{i}"] = np.zeros(width, np.float32)\n',
            ),
            ("sums", '            z = z + self.params[f"bias{i}"]\n'),
            ("sums back", '            grads[f"bias{i}"] = dz.sum(axis=0)\n'),
        ),
    ),
    Idea(
        name="orthogonal",
        truth="neutral",
        says="the hidden layers begin as orthogonal matrices.",
        marks=("np.linalg.qr",),
        adds=(
            (
                "parameters",
                "        for i, fan_in in enumerate(fan_ins):\n"
                "            sizes = max(fan_in, width), min(fan_in, width)\n"
                "            square = np.linalg.qr(np.random.standard_normal(sizes))[0]\n"
                "            square = square if fan_in >= width else square.T\n"
                "            scale = math.sqrt(2 * sizes[0] / fan_in)\n"
                '            self.params[f"h{i}"] = (square * scale).astype(np.float32)\n',
            ),
        ),
    ),
    Idea(
        name="small_residual",
        truth="neutral",
        says="what a further layer adds to the residual path is scaled down by the depth.",
        marks=("ADDED",),
        adds=(
            ("constants", "ADDED = DEPTH**-0.5  # of a hidden layer's output\n"),
            ("outer", "            a = a if i == 0 else ADDED * a\n"),
            ("outer back", "            da = da if i == 0 else ADDED * da\n"),
        ),
    ),
    Idea(
        name="place_scale",
        truth="helps",
        says="a learned weight for each place of the context.",
        marks=('"place_scale"',),
        adds=(
            ("parameters", '        self.params["place_scale"] = np.ones((CONTEXT, 1), np.float32)\n'),
            ("embedded", '        self.unscaled = e\n        e = e * self.params["place_scale"]\n'),
            (
                "embedded back",
                '        grads["place_scale"] = (de * self.unscaled).sum(axis=(0, 2))[:, None]\n'
                '        de = de * self.params["place_scale"]\n',
            ),
        ),
    ),
    Idea(
        name="softcap",
        truth="neutral",
        says="logits stay within a cap, by a tanh.",
        marks=("self.capped",),
        adds=(
            ("logits", "        self.capped = np.tanh(logits / 20)\n        logits = 20 * self.capped\n"),
            ("logits back", "        d = d * (1 - self.capped * self.capped)\n"),
        ),
    ),
    Idea(
        name="leaky",
        truth="helps",
        says="a tenth of what is negative passes the activation, so that no unit dies.",
        marks=("0.1 * z",),
        swaps=(
            (
                "    return a, (z > 0).astype(z.dtype)\n",
                "    return np.maximum(z, 0.1 * z), np.where(z > 0, 1, 0.1).astype(z.dtype)\n",
            ),
        ),
    ),
    Idea(
        name="gates",
        truth="harms",
        says="each hidden unit gets a gate, a sigmoid of the same input.",
        marks=('f"gate{i}"',),
        adds=(
            (
                "parameters",
                "        for i, fan_in in enumerate(fan_ins):\n"
                '            self.params[f"gate{i}"] = normal((fan_in, width), 0.01)\n'
                "        self.gates = {}\n",
            ),
            (
                "outer",
                '            gate = 1 / (1 + np.exp(-(inner @ self.params[f"gate{i}"])))\n'
                "            self.gates[i] = (a, gate)\n            a = a * gate\n",
            ),
            (
                "outer back",
                "            ungated, gate = self.gates[i]\n"
                "            dgate = da * ungated * gate * (1 - gate)\n"
                '            grads[f"gate{i}"] = h.T @ dgate\n            da = da * gate\n',
            ),
            ("beside back", '            back = back + dgate @ self.params[f"gate{i}"].T\n'),
        ),
    ),
    Idea(
        name="no_residual",
        truth="neutral",
        says="the hidden layers follow one another plainly: no residual path.",
        marks=("            h = a\n",),
        swaps=(
            ("            h = a if i == 0 else h + a\n", "            h = a\n"),
            ("            d = back if i == 0 else d + back\n", "            d = back\n"),
        ),
    ),
    Idea(
        name="blur",
        truth="harms",
        says="each place also sees the mean of all bytes.",
        marks=("e.mean(axis=1",),
        adds=(
            ("embedded", "        e = 0.5 * e + 0.5 * e.mean(axis=1, keepdims=True)\n"),
            ("embedded back", "        de = 0.5 * de + 0.5 * de.mean(axis=1, keepdims=True)\n"),
        ),
    ),
)
