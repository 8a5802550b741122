"""Warm up, stay, decay (Hu et al., 2024, "MiniCPM"): full speed, then straight down to nothing over the last part."""

DECAY = 0.4


def scale(progress: float) -> float:
    return min(1.0, (1 - progress) / DECAY)
