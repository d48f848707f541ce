"""How many deliveries are taken: up to a window's worth at once, then as fast as they are allowed."""

from connectors.webhook.endpoints import Rate


class Bucket:
    """Tokens, one a delivery. Times are seconds of any origin, and passed in."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._tokens = float(rate.requests)
        self._filled_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """0, and a token is taken; or how long until there is one."""
        per_s = self._rate.requests / self._rate.window_s
        passed_s = max(0.0, now_s - (now_s if self._filled_s is None else self._filled_s))
        self._tokens = min(float(self._rate.requests), self._tokens + passed_s * per_s)
        self._filled_s = now_s
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / per_s
        self._tokens -= 1.0
        return 0.0
