"""What remote systems' connectors report of themselves."""

from prometheus_client import Counter, Gauge, Histogram

LOOKS = Counter(
    "duplex_remote_looks",
    "Looks at rows by what they saw: told, same as known, older than known, gone, not shown by the application.",
    ["system", "flow", "saw"],
)
STEPS = Counter("duplex_remote_steps", "Requests for pages and lists, by flow.", ["system", "flow"])
WRITES = Counter("duplex_remote_writes", "Writes sent to the application, by what came of them.", ["system", "outcome"])
DOWN = Gauge("duplex_remote_down", "1 while the application does not answer.", ["system"])
DOUBTED = Counter("duplex_remote_doubted_listings", "Listings that lacked too many rows to be believed.", ["system"])
DELIVERIES = Counter("duplex_remote_deliveries", "Webhook deliveries by what they were about.", ["system", "about"])
PARKED = Gauge("duplex_remote_parked_commands", "Commands that wait because their own row makes trouble.", ["system"])
UNPROTECTED = Histogram(
    "duplex_remote_unprotected_seconds",
    "From asking for a row to the answer of the write upon it, where no condition protects what a user does meanwhile.",
    ["system"],
    buckets=(0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)
