"""What a history is mostly about. The theme follows from the seed alone, so that a new theme leaves other seeds be."""

from typing import Literal

Theme = Literal[
    "mixed",
    "clocks",
    "approvals",
    "counters",
    "deadlines",
    "epochs",
    "brakes",
    "automations",
    "amendments",
    "remotes",
    "retries",
]
# The place is the seed's last digits, base twenty.
THEMES: tuple[Theme, ...] = (
    "mixed",
    "clocks",
    "approvals",
    "counters",
    "mixed",
    "remotes",
    "approvals",
    "deadlines",
    "mixed",
    "epochs",
    "clocks",
    "amendments",
    "mixed",
    "brakes",
    "approvals",
    "automations",
    "mixed",
    "retries",
    "counters",
    "remotes",
)
DOINGS: dict[str, dict[str, float]] = {
    "deadlines": {"tick": 1.0},
    "epochs": {"legislate": 0.5},
    "brakes": {"brake": 0.5},
    "automations": {"automate": 3.0},
    "amendments": {"draft": 1.0, "amend": 0.7},
    "retries": {"lose": 0.3, "retry": 0.2, "forget": 0.2},
}


def theme_of(seed: int) -> Theme:
    """The theme of a seed."""
    return THEMES[seed % len(THEMES)]
