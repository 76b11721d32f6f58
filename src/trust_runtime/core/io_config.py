"""From what is asked of the I/O configuration to the file that is written (contract 14.2)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trust_runtime.contracts.codec import REDACTED, digest, encode_json, to_plain
from trust_runtime.contracts.denial import Denial, DenialCode, deny
from trust_runtime.contracts.ids import RuntimeId
from trust_runtime.contracts.io import (
    IoContent,
    IoDriver,
    IoOutput,
    IoParams,
    IoSource,
    IoView,
)
from trust_runtime.core.config.io import DRIVERS, IoSettings, canonical_driver, check_io

DEFAULT: Final = IoContent(drivers=(IoDriver(name="loopback"),))
"""What counts where there is no file."""


def read_content(document: Mapping[str, Any]) -> IoContent | Denial:
    """Return what a parsed `io.toml` says, or everything that is wrong with it."""
    checked = check_io(document)
    if not isinstance(checked, IoSettings):
        reasons = (
            f"{problem.path}: got {problem.value}; allowed: {problem.allowed}"
            + ("" if problem.message is None else f"; {problem.message}")
            for problem in checked
        )
        return deny(DenialCode.CONTRACT_VIOLATION, "; ".join(reasons), "correct the members named")
    io = document["io"]
    drivers = io.get("drivers") or [{"name": io.get("driver"), "params": io.get("params", {})}]
    return IoContent(
        drivers=tuple(
            IoDriver(name=canonical_driver(one["name"]), params=dict(one.get("params", {})))
            for one in drivers
        ),
        safe_state=tuple(
            IoOutput(address=one["address"], value=one["value"]) for one in io.get("safe_state", ())
        ),
    )


def content_to_write(asked: IoParams, stored: IoContent) -> IoContent | Denial:
    """Return what a write makes of the file, or why it cannot be written.

    Args:
        asked: the write; not one that asks for the file of the machine.
        stored: what stands there now, whose hidden parameters may be kept.
    """
    io: dict[str, Any] = {}
    if asked.drivers is not None:
        io["drivers"] = [
            {"name": one.name, "params": _kept(one.params, _params_at(index, one.name, stored))}
            for index, one in enumerate(asked.drivers)
        ]
    if asked.driver is not None or asked.params is not None:
        io["driver"] = asked.driver
        io["params"] = _kept(asked.params or {}, _params_at(0, asked.driver, stored))
    if asked.safe_state:
        io["safe_state"] = [to_plain(one) for one in asked.safe_state]
    return read_content({"io": io})


def etag_of(content: IoContent) -> str:
    """Return the fingerprint of drivers and safe state."""
    return digest({"drivers": content.drivers, "safe_state": content.safe_state})


def view_of(own: RuntimeId, content: IoContent, source: IoSource) -> IoView:
    """Return what `GET io/config` shows of a content."""
    first = content.drivers[0]
    return IoView(
        runtime_id=own,
        driver=first.name,
        params=first.params,
        drivers=content.drivers,
        safe_state=content.safe_state,
        supported_drivers=DRIVERS,
        source=source,
        use_system_io=source is IoSource.SYSTEM,
        etag=etag_of(content),
    )


def to_toml(content: IoContent) -> str:
    """Return the text of an `io.toml` that says `content`."""
    return "\n".join(_lines(content)) + "\n"


def _lines(content: IoContent) -> Iterator[str]:
    yield "# Written through the API; the file before this one is io.toml.previous."
    for driver in content.drivers:
        yield from ("", "[[io.drivers]]", f"name = {_toml(driver.name)}")
        if driver.params:
            yield f"params = {_toml(driver.params)}"
    for output in content.safe_state:
        yield from ("", "[[io.safe_state]]", f"address = {_toml(output.address)}")
        yield f"value = {_toml(output.value)}"


def _toml(value: Any) -> str:
    """Return a value as TOML writes it: texts, numbers and booleans are those of JSON."""
    if isinstance(value, Mapping):
        members = (f"{_toml(str(name))} = {_toml(value[name])}" for name in value)
        return "{ " + ", ".join(members) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    text = encode_json(value).decode()
    # JSON leaves DEL as it is, TOML does not take it.
    return text.replace("\x7f", "\\u007F")


def _params_at(index: int, name: str | None, stored: IoContent) -> Mapping[str, Any]:
    """Return the stored parameters of the driver at a place; none when it is another one."""
    if name is None or index >= len(stored.drivers):
        return {}
    there = stored.drivers[index]
    return there.params if there.name == canonical_driver(name) else {}


def _kept(params: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters without those left out, hidden ones as they are stored."""
    return {
        key: before.get(key, value) if value == REDACTED else value
        for key, value in params.items()
        if value is not None
    }
