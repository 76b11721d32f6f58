"""Server-sent events from lines (HTML standard, 9.2.6). Pure."""

from collections.abc import Iterator

from trust_runtime.client.answers import StreamMessage
from trust_runtime.contracts.codec import decode_json
from trust_runtime.contracts.errors import ContractViolation


class MessageReader:
    """Puts messages together from the lines of a stream; what cannot be read is passed over."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def take(self, line: str) -> Iterator[StreamMessage]:
        """Yield the message that ends with this line, if one does."""
        if line:
            name, _, value = line.partition(":")
            if name in {"id", "event", "data"}:
                self._fields[name] = value.removeprefix(" ")
            return
        fields, self._fields = self._fields, {}
        if "data" not in fields:
            return
        try:
            data = decode_json(fields["data"].encode(), dict)
        except ContractViolation:
            return
        yield StreamMessage(
            event_id=fields.get("id", ""), event=fields.get("event", "message"), data=data
        )
