"""Sealing personal data: one data key a person, wrapped by the installation's key ring; AES-256-GCM.

Destroying a person's data key (`services.person_key`) makes him unreadable in the database, the topics and the backups.
Only the notifier opens what ingest sealed; everybody else passes it on.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.contracts.tickets import Channel, Contact
from services.database import Record, Transaction
from services.errors import ConfigurationError
from services.statements import Statements

SQL = Statements("services")
INDEX = "index"
NONCE_BYTES = 12
TOKEN_BYTES = 20


class Personal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person in clear, as he leaves the hand only sealed. `email` and `phone` are usable ones (checked), or None."""

    person: UUID
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    title: str | None = None
    locale: str | None = None
    timezone: str | None = None
    staff: bool = False

    @property
    def channels(self) -> tuple[Channel, ...]:
        """By which he could be reached."""
        by_mail: tuple[Channel, ...] = ("email",) if self.email else ()
        return (*by_mail, "sms", "call") if self.phone else by_mail


class _Inside(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the seal hides."""

    name: str | None = None
    email: str | None = None
    phone: str | None = None
    title: str | None = None


def token_hash(token: str) -> bytes:
    """SHA-256: what is kept of a link's token or a bearer key (both carry at least 128 bits, so no salt is needed)."""
    return hashlib.sha256(token.encode()).digest()


class KeyRing:
    """Keys of 32 bytes by name, newest first, from `name:base64,…`.

    The key named `index` never rotates: it makes the keyed hashes by which a person is found again.
    """

    def __init__(self, text: str) -> None:
        self._keys: dict[str, bytes] = {}
        for part in text.split(","):
            name, _, encoded = part.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except ValueError:
                key = b""
            if not name or len(key) != 32:
                raise ConfigurationError(f"HUIFANG_KEYRING: {name or 'an entry'} is not `name:base64 of 32 bytes`")
            if name in self._keys:
                raise ConfigurationError(f"HUIFANG_KEYRING: names {name} twice")
            self._keys[name] = key
        if INDEX not in self._keys or len(self._keys) < 2:
            raise ConfigurationError("HUIFANG_KEYRING: needs a key named `index` and at least one other")
        self.newest = next(name for name in self._keys if name != INDEX)

    @staticmethod
    def generate() -> str:
        """A new ring, as text."""
        return ",".join(f"{name}:{base64.b64encode(os.urandom(32)).decode()}" for name in ("k1", INDEX))

    def derive(self, name: str, purpose: str) -> bytes:
        """A key for one purpose only (HKDF-SHA256). Raises `KeyError` for a key that is not on the ring."""
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._keys[name])

    def __contains__(self, name: str) -> bool:
        return name in self._keys


class Seal:
    """Seals and opens with the keys of one ring."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._index = ring.derive(INDEX, "person")
        self._link = ring.derive(INDEX, "link")
        self._wrap: dict[str, AESGCM] = {}

    def person_of(self, email: str | None, phone: str | None, source: str, id: str | None) -> UUID:
        """Who somebody is across sources: a keyed hash of the e-mail address, else the number, else source and id.

        Raises `ValueError` where nothing names him.
        """
        if email:
            text = f"email:{email.strip().lower()}"
        elif phone:
            text = f"phone:{phone}"
        elif id:
            text = f"id:{source}\0{id}"
        else:
            raise ValueError("a person needs an e-mail address, a telephone number or an id")
        return UUID(bytes=hmac.digest(self._index, text.encode(), "sha256")[:16])

    def link_token(self, purpose: str, id: UUID) -> str:
        """The unguessable part of a customer's link: 160 bits of HMAC-SHA256, the same whenever it is asked for.

        So no token has to be stored or carried by an event; at rest there is only `token_hash` of it.
        """
        digest = hmac.digest(self._link, purpose.encode() + b"\0" + id.bytes, "sha256")
        return base64.urlsafe_b64encode(digest[:TOKEN_BYTES]).decode().rstrip("=")

    async def seal_contacts(self, transaction: Transaction, people: Sequence[Personal]) -> list[Contact]:
        """Each person sealed under his own data key, made if there is none. An erased person stays without channels."""
        keys = await self._data_keys(transaction, [each.person for each in people])
        return [self._seal_one(each, keys[each.person]) for each in people]

    async def open_contacts(self, transaction: Transaction, contacts: Sequence[Contact]) -> list[Personal | None]:
        """The people behind sealed contacts; None for whoever was erased or whose seal does not fit.

        Raises `ConfigurationError` where a key is not on the ring.
        """
        rows = await self._find_keys(transaction, [each.person for each in contacts])
        return [self._open_one(each, rows.get(each.person)) for each in contacts]

    def seal_secret(self, purpose: str, secret: bytes) -> bytes:
        """An installation's own secret (a source's signing secret), sealed for the database under the newest key."""
        name = self._ring.newest
        return name.encode() + b"\0" + _encrypt(AESGCM(self._ring.derive(name, "secret")), secret, purpose.encode())

    def open_secret(self, purpose: str, sealed: bytes) -> bytes:
        """The secret again. Raises `ConfigurationError` where its key is not on the ring or another purpose's."""
        name, _, rest = sealed.partition(b"\0")
        if name.decode(errors="replace") not in self._ring:
            raise ConfigurationError(
                f"HUIFANG_KEYRING: key {name.decode(errors='replace')!r}, which sealed {purpose!r}, is missing"
            )
        key = AESGCM(self._ring.derive(name.decode(), "secret"))
        try:
            return key.decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], purpose.encode())
        except (InvalidTag, ValueError):
            raise ConfigurationError(f"what is stored as {purpose!r} was not sealed as such; set it anew") from None

    async def _data_keys(self, transaction: Transaction, people: Sequence[UUID]) -> dict[UUID, AESGCM | None]:
        rows = await self._find_keys(transaction, people)
        # In one order everywhere: two transactions that need the same new people wait for each other, not both.
        missing = sorted({person for person in people if person not in rows})
        if missing:
            name = self._ring.newest
            wrap = self._wrapper(name)
            fresh = [_encrypt(wrap, AESGCM.generate_key(256), person.bytes) for person in missing]
            await transaction.execute(SQL["insert_person_keys"], missing, [name] * len(missing), fresh)
            # Another transaction may have been first with some of them: what counts is what is there now.
            rows.update(await self._find_keys(transaction, missing))
        return {person: self._unwrap(row) for person, row in rows.items()}

    async def _find_keys(self, transaction: Transaction, people: Sequence[UUID]) -> dict[UUID, Record]:
        if not people:
            return {}
        return {row["person"]: row for row in await transaction.fetch(SQL["find_person_keys"], list(set(people)))}

    def _unwrap(self, row: Record) -> AESGCM | None:
        wrapped: bytes | None = row["wrapped"]
        if wrapped is None:
            return None
        wrap = self._wrapper(row["key_id"])
        return AESGCM(wrap.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], row["person"].bytes))

    def _wrapper(self, name: str) -> AESGCM:
        if name not in self._wrap:
            if name not in self._ring:
                raise ConfigurationError(f"HUIFANG_KEYRING: key {name!r}, which wraps people's data keys, is missing")
            self._wrap[name] = AESGCM(self._ring.derive(name, "wrap"))
        return self._wrap[name]

    def _seal_one(self, personal: Personal, key: AESGCM | None) -> Contact:
        inside = _Inside(name=personal.name, email=personal.email, phone=personal.phone, title=personal.title)
        return Contact(
            person=personal.person,
            channels=personal.channels if key else (),
            sealed=_encrypt(key, _pack(inside), personal.person.bytes) if key else b"",
            locale=personal.locale,
            timezone=personal.timezone,
            staff=personal.staff,
        )

    def _open_one(self, contact: Contact, row: Record | None) -> Personal | None:
        if row is None or not contact.sealed:
            return None
        try:
            key = self._unwrap(row)
            if key is None:
                return None
            packed = key.decrypt(contact.sealed[:NONCE_BYTES], contact.sealed[NONCE_BYTES:], contact.person.bytes)
        except (InvalidTag, ValueError):
            return None
        inside = _unpack(packed)
        return Personal(
            person=contact.person,
            name=inside.name,
            email=inside.email,
            phone=inside.phone,
            title=inside.title,
            locale=contact.locale,
            timezone=contact.timezone,
            staff=contact.staff,
        )


_pack: Callable[[_Inside], bytes] = msgspec.msgpack.Encoder().encode
_unpack: Callable[[bytes], _Inside] = msgspec.msgpack.Decoder(_Inside).decode


def _encrypt(key: AESGCM, clear: bytes, bound_to: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return nonce + key.encrypt(nonce, clear, bound_to)
