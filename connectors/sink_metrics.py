"""What the sink runner reports of itself."""

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter(
    "duplex_commands_total",
    "Commands by what became of them; skipped: carried out before, or waiting for a row they refer to.",
    ["system", "outcome"],
)
DEADLETTERS = Counter("duplex_sink_deadletters_total", "Messages set aside that were no commands.", ["system"])
AHEAD = Counter(
    "duplex_sink_ahead_commands_total", "Commands carried out before their turn, which a backlog delays.", ["system"]
)
RETRIES = Counter("duplex_sink_retries_total", "Batches that have to come again.", ["system"])
BATCH_COMMANDS = Histogram(
    "duplex_sink_batch_commands", "Commands in a batch.", ["system"], buckets=(1, 3, 10, 30, 100, 300, 1000)
)
BATCH_SECONDS = Histogram(
    "duplex_sink_batch_seconds",
    "How long the system took to carry out a batch.",
    ["system"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
LAG = Gauge("duplex_sink_lag_commands", "Commands in the topic that are not carried out yet.", ["system"])
