"""Dead letters as they stand on their topic, numbered from 0 in partition 1."""

from collections.abc import Sequence

from duplex.broker import Message
from schemas import deadletters
from schemas.codec import Codec
from schemas.deadletters import Deed, Failure, Headers, Mark
from schemas.messages import Change

TOPIC = "shop.deadletters"
RECORDS = "shop.records.contact"
PARTITION = 1
MERGE = "merge.contact"


def failure(offset: int = 7, **more: object) -> Failure:
    said: dict[str, object] = {
        "topic": RECORDS,
        "partition": 2,
        "offset": offset,
        "stage": "decode",
        "component": MERGE,
        "error_class": "schemas.errors.UndecodableError",
        "message": "starts with 7b, not c301",
    }
    return Failure(**(said | more))  # type: ignore[arg-type]


def change(**more: object) -> Change:
    said: dict[str, object] = {
        "system": "crm",
        "entity": "contact",
        "table": "c",
        "incarnation": 1,
        "seq": 4,
        "op": "u",
        "local_id": "[7]",
        "before": '{"id": 7, "credit": 10.00}',
        "after": '{"id": 7, "credit": 12.50, "phone": "1"}',
        "ts_us": 5,
    }
    return Change(**(said | more))  # type: ignore[arg-type]


def encoded(**more: object) -> bytes:
    return Codec().encode(change(**more))


class Topic:
    """The topic as it grows; every message is a second younger than the one before it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def letter(
        self,
        failed: Failure,
        value: bytes | None = b"x",
        key: bytes | None = b"k",
        own: Sequence[tuple[str, bytes]] = (),
    ) -> str:
        """A dead letter; returns its id."""
        return self._append(key, value, deadletters.headers(failed, list(own), self.now_ms))

    def again(self, letter: str, failed: Failure, value: bytes | None = b"x") -> str:
        """The dead letter of a message that was sent again."""
        return self.letter(failed, value, own=deadletters.sent_again([], letter))

    def mark(self, letter: str, deed: Deed, place: tuple[str, int, int] | None = None) -> None:
        self._append(None, None, deadletters.mark_headers(Mark(letter, deed, self.now_ms, "ada", "why", place)))

    @property
    def now_ms(self) -> int:
        return 1000 * (len(self.messages) + 1)

    def _append(self, key: bytes | None, value: bytes | None, headers: Headers) -> str:
        offset = len(self.messages)
        self.messages.append(Message(TOPIC, PARTITION, offset, self.now_ms, key, value, tuple(headers)))
        return f"{PARTITION}:{offset}"
