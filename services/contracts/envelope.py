"""CloudEvents 1.0 in structured JSON: the one shape in which every event travels."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal, TypeVar
from uuid import UUID

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, named in the past tense. Times are aware; unknown extra fields pass."""

    TYPE: ClassVar[str]

    @property
    def subject(self) -> str:
        """What the event is about (ticket, survey, person, policy); the Kafka key too, so order is kept per subject."""
        raise NotImplementedError


AnyEvent = TypeVar("AnyEvent", bound=Event)


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The CloudEvents attributes around an event's data, which stays undecoded until the type is known."""

    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: str
    time: datetime
    subject: str
    data: msgspec.Raw
    datacontenttype: Literal["application/json"] | None = None
    traceparent: str | None = None


class EnvelopeError(ValueError):
    """An event that cannot be understood. `reason` is a closed set: `undecodable`, `unknown_type`, `version`."""

    def __init__(self, reason: Literal["undecodable", "unknown_type", "version"], detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


_encode = msgspec.json.Encoder().encode
_decode_envelope = msgspec.json.Decoder(Envelope).decode


def encode(event: Event, *, id: UUID, room: str, time: datetime, traceparent: str | None = None) -> bytes:
    """The event as CloudEvents JSON, said by `room` at `time`."""
    return _encode(
        Envelope(
            specversion="1.0",
            id=id,
            source=f"/huifang/{room}",
            type=event.TYPE,
            time=time,
            subject=event.subject,
            data=msgspec.Raw(_encode(event)),
            datacontenttype="application/json",
            traceparent=traceparent,
        )
    )


def decode_envelope(value: bytes) -> Envelope:
    """The envelope alone. Raises `EnvelopeError` where `value` is not a CloudEvent."""
    try:
        return _decode_envelope(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EnvelopeError("undecodable", str(error)) from error


class Decoder:
    """Decodes the events of the given types, and names what is wrong with the rest."""

    def __init__(self, types: Mapping[str, type[Event]]) -> None:
        self._decoders = {name: msgspec.json.Decoder(event).decode for name, event in types.items()}
        self._families = {name.rpartition(".v")[0] for name in types}

    def decode(self, value: bytes) -> tuple[Envelope, Event]:
        """The envelope and its event. Raises `EnvelopeError`.

        A known event in an unknown version is `version`, never half-understood: it can be replayed after an upgrade.
        """
        envelope = decode_envelope(value)
        decode = self._decoders.get(envelope.type)
        if decode is None:
            family = envelope.type.rpartition(".v")[0]
            known = family in self._families
            raise EnvelopeError("version" if known else "unknown_type", f"no decoder for {envelope.type!r}")
        try:
            return envelope, decode(envelope.data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EnvelopeError("undecodable", f"{envelope.type}: {error}") from error
