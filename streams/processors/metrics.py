"""What the processors count."""

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("duplex_processor_records", "Input records processed.", ["processor"])
OUTPUTS = Counter("duplex_processor_outputs", "Messages produced.", ["processor"])
REJECTED = Counter("duplex_processor_deadletters", "Input records sent to the dead letters.", ["processor"])
RESTARTS = Counter("duplex_processor_restarts", "Partitions restarted from their last whole batch.", ["processor"])
PARTITIONS = Gauge("duplex_processor_partitions", "Partitions this process owns.", ["processor"])
LAG = Gauge("duplex_processor_lag_records", "Input records not processed yet, as far as known.", ["processor"])
STATE_KEYS = Gauge("duplex_processor_state_keys", "Keys in the state of the partitions owned.", ["processor"])
BATCH_SECONDS = Histogram("duplex_processor_batch_seconds", "From a batch's records to its state safe.", ["processor"])
RECOVERY_SECONDS = Histogram("duplex_processor_recovery_seconds", "Reading a partition's state.", ["processor"])
DELETES_HELD = Counter("duplex_deletes_held", "Deletes that the brake held for approval.", ["entity", "system"])
