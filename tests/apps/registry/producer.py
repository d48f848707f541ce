"""Writes Avro messages with Confluent's producer and serializers; a process of its own, with packages of its own.

Standard input: {bootstrap, registry, topic, messages: [{key, value, schema}]}. `schema` is that of the value, which is
registered where it is not yet; `value` None is a tombstone. A message with `raw` has those bytes, in hex, for a value.
"""

import json
import sys

from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

KEY = {"type": "record", "name": "Key", "namespace": "shop", "fields": [{"name": "id", "type": "int"}]}


def main() -> None:
    given = json.load(sys.stdin)
    client = SchemaRegistryClient({"url": given["registry"]})
    producer, topic = Producer({"bootstrap.servers": given["bootstrap"]}), given["topic"]
    keys = AvroSerializer(client, json.dumps(KEY))
    failed: list[object] = []

    def told(error: object, _: object) -> None:
        if error is not None:
            failed.append(error)

    for message in given["messages"]:
        key = keys({"id": message["key"]}, SerializationContext(topic, MessageField.KEY))
        producer.produce(topic, value(client, topic, message), key, on_delivery=told)
    producer.flush(60)
    sys.exit("; ".join(map(str, failed)) or 0)


def value(client: SchemaRegistryClient, topic: str, message: dict) -> bytes | None:
    if "raw" in message:
        return bytes.fromhex(message["raw"])
    if message["value"] is None:
        return None
    serializer = AvroSerializer(client, json.dumps(message["schema"]))
    return serializer(message["value"], SerializationContext(topic, MessageField.VALUE))


main()
