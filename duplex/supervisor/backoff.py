"""How long to wait before a crashed child is started again."""

FIRST_S = 0.5
LONGEST_S = 30.0
STEADY_S = 60.0


def delay_s(failures: int, jitter: float) -> float:
    """Seconds to wait after this many failures in a row (1: the first).

    Doubles up to `LONGEST_S`. `jitter` in [0, 1) takes up to half of it away, so that children which fell together
    do not come back together.
    """
    return min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, 16)) * (1 - jitter / 2)


def failures_after(failures: int, ran_s: float) -> int:
    """The count of failures in a row once a child that ran this long has ended: a steady run starts anew."""
    return 1 if ran_s >= STEADY_S else failures + 1
