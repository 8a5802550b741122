"""Ideas about what is looked up: tables of logits, embeddings of pairs, counts of the training text."""

from .places import Idea

_COLUMN = "np.where((x == 10).any(axis=1), np.argmax(x[:, ::-1] == 10, axis=1), CONTEXT)"
_TRIGRAM = "(x[:, -2].astype(np.int64) * 131 + x[:, -1]) % 1024"


def _table(name, rows, index, truth, says, *, rate="0.01"):
    """Return an idea: a table of logits, looked up by the last bytes and learned."""
    table = f'self.params["table_{name}"]'
    return Idea(
        name=name,
        truth=truth,
        says=says,
        marks=(f"table_{name}",),
        adds=(
            ("constants", f"{name.upper()}_LR = {rate}  # learning rate for the table of {name}s\n"),
            ("parameters", f"        {table} = np.zeros(({rows}, vocab_size), np.float32)\n"),
            ("logits", f"        logits = logits + {table}[{index}]\n"),
            (
                "logits back",
                f'        grads["table_{name}"] = np.zeros_like({table})\n'
                f'        np.add.at(grads["table_{name}"], {index}, d)\n',
            ),
            ("rates", f'        self.lrs["table_{name}"] = {name.upper()}_LR\n'),
        ),
    )


_COUNTS = '''
def count_table(power):
    """Return log-probabilities of the byte that follows two bytes of the training text (7 bits each)."""
    text = load_text("train").astype(np.int64)
    pairs = np.bincount(text[:-1] * 256 + text[1:], minlength=2**16).reshape(256, 256) + 0.05
    pairs /= pairs.sum(axis=1, keepdims=True)
    places = ((text[:-2] & 127) * 128 + (text[1:-1] & 127)) * 256 + text[2:]
    found = np.bincount(places, minlength=2**22).reshape(-1, 256).astype(np.float32)
    found += power * np.tile(pairs[:128], (128, 1)).astype(np.float32)
    return np.log(found / found.sum(axis=1, keepdims=True) + 1e-7)


'''


def _hashed(name, length, rows, says):
    """Return an idea: to each byte's embedding comes that of the bytes which end there."""
    table, places = f'self.params["table_{name}"]', f"self.{name}"
    return Idea(
        name=name,
        truth="helps",
        says=says,
        marks=(f"table_{name}",),
        adds=(
            ("parameters", f"        {table} = normal(({rows}, EMBED_DIM), 0.3)\n"),
            (
                "embedded",
                f"        {places} = x.astype(np.int64)\n"
                f"        for _ in range({length - 1}):\n"
                f"            {places}[:, 1:] = (x[:, 1:] + 311 * {places}[:, :-1]) % {rows}\n"
                f"        e = e + {table}[{places}]\n",
            ),
            (
                "embedded back",
                f'        grads["table_{name}"] = np.zeros_like({table})\n'
                f'        np.add.at(grads["table_{name}"], {places}.ravel(), de.reshape(-1, EMBED_DIM))\n',
            ),
            ("rates", f'        self.lrs["table_{name}"] = EMBEDDING_LR\n'),
        ),
    )


def _counted(name, truth, says, power):
    """Return an idea: what follows two bytes was counted in the training text, and is added to the logits."""
    return Idea(
        name=name,
        truth=truth,
        says=says,
        marks=("count_table",),
        adds=(
            ("import", "from prepare import load_text\n"),
            ("functions", _COUNTS),
            ("parameters", f"        self.counted = count_table({power})\n"),
            (
                "logits",
                "        logits = logits + self.counted[(x[:, -2].astype(np.int64) & 127) * 128 + (x[:, -1] & 127)]\n",
            ),
        ),
    )


TABLES = (
    _table("bigram", "vocab_size", "x[:, -1]", "helps", "a learned table from the last byte to the logits."),
    _table("trigram", "1024", _TRIGRAM, "helps", "a learned table of logits, hashed by the last two bytes."),
    _table(
        "skipped", "vocab_size", "x[:, -2]", "helps", "a learned table from the byte before the last to the logits."
    ),
    _table(
        "indent", "CONTEXT + 1", _COLUMN, "helps", "a learned table from how long ago the line began to the logits."
    ),
    Idea(
        name="bigram_counts",
        truth="neutral",
        says="begin the table of bigrams with what the training text counts, not with zeros.",
        marks=("pair_logs",),
        needs=('self.params["table_bigram"] = np.zeros',),
        adds=(
            ("import", "from prepare import load_text\n"),
            (
                "functions",
                "def pair_logs():\n"
                '    """Return log-probabilities of the byte that follows a byte of the training text."""\n'
                '    text = load_text("train").astype(np.int64)\n'
                "    counts = np.bincount(text[:-1] * 256 + text[1:], minlength=2**16).reshape(256, 256) + 0.05\n"
                "    return np.log(counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)\n\n\n",
            ),
        ),
        swaps=(
            (
                'self.params["table_bigram"] = np.zeros((vocab_size, vocab_size), np.float32)',
                'self.params["table_bigram"] = pair_logs()',
            ),
        ),
    ),
    _counted("counts", "helps", "add the logs of smoothed counts of what follows two bytes.", 2.0),
    _counted("sharp_counts", "helps", "add the logs of raw counts of what follows two bytes.", 0.01),
    _hashed("pairs", 2, 2048, "each place also sees the byte before it: an embedding of hashed pairs is added."),
    _hashed(
        "triples", 3, 4096, "each place also sees the two bytes before it: an embedding of hashed triples is added."
    ),
    Idea(
        name="output_bias",
        truth="helps",
        says="a bias of the logits, which begins with how frequent each byte is.",
        marks=('"bias_out"',),
        adds=(
            ("import", "from prepare import load_text\n"),
            (
                "parameters",
                '        found = np.bincount(load_text("train"), minlength=vocab_size) + 1.0\n'
                '        self.params["bias_out"] = np.log(found / found.sum()).astype(np.float32)\n',
            ),
            ("logits", '        logits = logits + self.params["bias_out"]\n'),
            ("logits back", '        grads["bias_out"] = d.sum(axis=0)\n'),
        ),
    ),
)
