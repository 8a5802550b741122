"""Ideas as a hasty author writes them: a slip, a forgotten gradient, shapes that do not fit."""

from .places import Idea

BROKEN = (
    Idea(
        name="slip",
        truth="breaks",
        says="the loop's progress eases in and out.",
        marks=("eased",),
        adds=(("every step", "    eased = progress * progress * (3 - 2 * progress\n"),),
    ),
    Idea(
        name="forgotten",
        truth="breaks",
        says="a learned temperature for the logits.",
        marks=('"temperature"',),
        adds=(
            ("parameters", '        self.params["temperature"] = np.ones(1, np.float32)\n'),
            ("logits", '        logits = logits * self.params["temperature"]\n'),
        ),
    ),
    Idea(
        name="shapes",
        truth="breaks",
        says="the embeddings reach the logits directly.",
        marks=('logits + self.params["wte"]',),
        adds=(("logits", '        logits = logits + self.params["wte"][x[:, -1]]\n'),),
    ),
)
