"""What is planted in `triage_study.py`: which configurations fail, by what, and the candidates that are tried.

Triage never sees this file's tables: only the benchmark and the test do, to compare. The causes stand in the order in
which a trial meets them, and the first one wins. Copied into a folder of its own.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Config = Mapping[str, Any]

BASELINE: dict[str, Any] = {
    "lr": 0.01, "weight_decay": 0.001, "optimizer": "adamw", "layers": 6, "width": 128, "hidden": 512, "heads": 4,
    "dropout": 0.1, "schedule": "cosine", "warmup": 0.1, "norm": "layernorm", "batch": 16, "accumulate": 4,
    "precision": "bf16", "augment": True, "workers": 2,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Hold one planted cause: whom it strikes, by what chance, and which parameters a rule has to name."""

    strikes: Callable[[Config], bool]
    parameters: frozenset[str]
    chance: float = 1.0


def _cause(names: str, strikes: Callable[[Config], bool], chance: float = 1.0) -> Cause:
    return Cause(strikes=strikes, parameters=frozenset(names.split()), chance=chance)


CAUSES: dict[str, Cause] = {
    "missing_shard": _cause("workers", lambda c: c["workers"] == 0, 0.25),
    "broken_settings": _cause("warmup", lambda c: c.get("warmup", 0) > 0.285),
    "lost_connection": _cause("", lambda c: True, 0.01),  # no parameter decides: to say so is right
    "indivisible_heads": _cause("heads layers", lambda c: c["heads"] == 7 and c["layers"] <= 4),
    "deep_without_norm": _cause("norm layers", lambda c: c["norm"] == "none" and c["layers"] > 9),
    "no_kernel": _cause("precision width", lambda c: c["precision"] == "fp16" and c["width"] == 512),
    "too_much_asked": _cause("batch width", lambda c: c["batch"] > 40 and c["width"] == 512),
    "over_the_limit": _cause("hidden norm", lambda c: c["hidden"] > 2000 and c["norm"] == "none"),
    "segfault": _cause("workers augment", lambda c: c["workers"] == 8 and c["augment"], 0.5),
    "singular_projection": _cause("dropout", lambda c: c["dropout"] > 0.485),
    "singular_whitening": _cause("batch", lambda c: c["batch"] > 58),
    "endless_graph": _cause("momentum", lambda c: c.get("momentum", 0) > 0.975),
    "too_large_a_step": _cause("lr optimizer", lambda c: c["lr"] > 0.31 and c["optimizer"] == "muon"),
    "diverges": _cause("lr optimizer", lambda c: c["lr"] > 0.2 and c["optimizer"] == "lion"),
    "hangs": _cause("layers optimizer", lambda c: c["layers"] == 12 and c["optimizer"] == "adamw"),
    "unknown_split": _cause("heads augment", lambda c: c["heads"] == 3 and not c["augment"], 0.6),
    "empty_split": _cause("accumulate", lambda c: c["accumulate"] >= 30, 0.3),
    "gives_up": _cause("optimizer dropout", lambda c: c["optimizer"] == "sgd" and c["dropout"] < 0.01),
    "leaves": _cause("schedule lr", lambda c: c["schedule"] == "linear" and c["lr"] < 1.15e-4),
    "forgets_to_report": _cause("schedule heads", lambda c: c["schedule"] == "wsd" and c["heads"] == 1, 0.6),
}


def cause_of(config: Config) -> str | None:
    """Return by which cause a configuration fails, or None. A chance below 1 is drawn from the configuration."""
    if all(config.get(name) == value for name, value in BASELINE.items()):
        return None
    text = json.dumps(dict(config), sort_keys=True)
    for name, cause in CAUSES.items():
        if cause.strikes(config) and random.Random(f"{name} {text}").random() < cause.chance:
            return name
    return None


def candidates(count: int, seed: int) -> list[dict[str, Any]]:
    """Draw configurations. Three pairs of parameters move together, so that a bystander looks like a culprit."""
    draw = random.Random(seed)
    return [_candidate(draw) for _ in range(count)]


def _candidate(draw: random.Random) -> dict[str, Any]:
    lr = 10 ** draw.uniform(-4, 0)
    width = draw.choice([64, 128, 256, 512])
    batch = round(2 ** draw.uniform(1, 6))
    decay = lr / 10 * 10 ** draw.gauss(0, 0.2) if draw.random() < 0.85 else 10 ** draw.uniform(-5, -1)
    config: dict[str, Any] = {
        "lr": lr,
        "weight_decay": min(0.1, max(1e-5, decay)),
        "optimizer": draw.choice(["adamw", "sgd", "muon", "lion"]),
        "layers": draw.randint(1, 12),
        "width": width,
        "hidden": 4 * width if draw.random() < 0.85 else 4 * draw.choice([64, 128, 256, 512]),
        "heads": draw.randint(1, 8),
        "dropout": draw.uniform(0, 0.5),
        "schedule": draw.choice(["cosine", "linear", "wsd"]),
        "norm": draw.choices(["layernorm", "rmsnorm", "none"], [5, 3, 1])[0],
        "batch": batch,
        "accumulate": 64 // batch if draw.random() < 0.8 else draw.randint(1, 32),
        "precision": draw.choices(["fp32", "bf16", "fp16"], [3, 3, 1])[0],
        "augment": draw.random() < 0.5,
        "workers": draw.randint(0, 8),
    }  # fmt: skip
    if config["optimizer"] in ("sgd", "muon"):
        config["momentum"] = draw.uniform(0.8, 0.99)
    if config["schedule"] in ("cosine", "wsd"):
        config["warmup"] = draw.uniform(0, 0.3)
    return config
