import asyncio
import base64
from itertools import combinations
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.tickets import Contact
from services.database import Database
from services.errors import ConfigurationError
from services.seal import KeyRing, Personal, Seal, token_hash
from tests.postgres import PostgreSQL

CANARIES = ("Wáng Xiǎomíng 王小明", "canary@example.com", "+8613800138000", "女士 Ms Canary")
ERASE = "update services.person_key set wrapped = null, key_id = null, erased_at = now() where person = $1"


def key(letter: str) -> str:
    return base64.b64encode(letter.encode() * 32).decode()


RING = f"new:{key('n')},old:{key('o')},index:{key('i')}"
OLD_RING = f"old:{key('o')},index:{key('i')}"
LATER_RING = f"new:{key('n')},index:{key('i')}"


@pytest.fixture
def seal() -> Seal:
    return Seal(KeyRing(RING))


def somebody(**changes: object) -> Personal:
    name, email, phone, title = CANARIES
    values: dict[str, object] = {"person": uuid4(), "name": name, "email": email, "phone": phone, "title": title}
    return Personal(**{**values, "locale": "zh", "timezone": "Asia/Shanghai", "staff": True, **changes})  # type: ignore[arg-type]


async def sealed(database: Database, seal: Seal, *people: Personal) -> list[Contact]:
    async with database.transaction("ingest") as transaction:
        return await seal.seal_contacts(transaction, people)


async def opened(database: Database, seal: Seal, *contacts: Contact) -> list[Personal | None]:
    async with database.reading() as transaction:
        return await seal.open_contacts(transaction, contacts)


async def test_what_is_sealed_opens_again(database: Database, seal: Seal) -> None:
    people = [somebody(), somebody(email=None), somebody(phone=None, staff=False), somebody(name=None, title=None)]
    contacts = await sealed(database, seal, *people)
    assert [contact.channels for contact in contacts] == [
        ("email", "sms", "call"),
        ("sms", "call"),
        ("email",),
        ("email", "sms", "call"),
    ]
    assert await opened(database, seal, *contacts) == people
    assert await opened(database, seal) == []


async def test_the_same_person_keeps_one_key(database: Database, seal: Seal) -> None:
    person = somebody()
    first, second = await sealed(database, seal, person, person)
    (third,) = await sealed(database, seal, person)
    assert len({first.sealed, second.sealed, third.sealed}) == 3
    assert await opened(database, seal, first, second, third) == [person] * 3
    async with database.reading() as transaction:
        assert await transaction.fetchval("select count(*) from services.person_key") == 1


async def test_a_contact_of_one_person_does_not_open_as_anothers(database: Database, seal: Seal) -> None:
    first, second = await sealed(database, seal, somebody(), somebody())
    swapped = Contact(person=first.person, channels=second.channels, sealed=second.sealed)
    cut = Contact(person=first.person, channels=first.channels, sealed=first.sealed[:20])
    assert await opened(database, seal, swapped, cut) == [None, None]


async def test_swapped_rows_of_the_key_table_open_nothing(database: Database, seal: Seal) -> None:
    contacts = await sealed(database, seal, somebody(), somebody())
    async with database.transaction("services") as transaction:
        await transaction.execute(
            """update services.person_key as ours set wrapped = other.wrapped
            from services.person_key as other where other.person <> ours.person"""
        )
    assert await opened(database, seal, *contacts) == [None, None]


async def test_an_erased_person_stays_erased(database: Database, seal: Seal) -> None:
    person, other = somebody(), somebody()
    contacts = await sealed(database, seal, person, other)
    async with database.transaction("services") as transaction:
        await transaction.execute(ERASE, person.person)
    assert await opened(database, seal, *contacts) == [None, other]
    (again,) = await sealed(database, seal, person)
    assert (again.channels, again.sealed) == ((), b"")
    assert await opened(database, seal, again) == [None]


async def test_an_old_key_opens_until_it_leaves_the_ring(database: Database) -> None:
    old, both, later = (Seal(KeyRing(ring)) for ring in (OLD_RING, RING, LATER_RING))
    person, newcomer = somebody(), somebody()
    before = await sealed(database, old, person)
    after = await sealed(database, both, person, newcomer)
    assert await opened(database, both, *before, *after) == [person, person, newcomer]
    assert await opened(database, later, after[1]) == [newcomer]
    with pytest.raises(ConfigurationError, match=r"HUIFANG_KEYRING: key 'old'.* is missing"):
        await opened(database, later, *before)
    assert old.person_of("a@b.c", None, "jira", None) == later.person_of("a@b.c", None, "jira", None)


async def test_concurrent_first_contacts_agree_on_the_key(database: Database, seal: Seal) -> None:
    people = [somebody() for _ in range(20)]
    orders = [people, people[::-1], people[10:] + people[:10], people[::2] + people[1::2]]
    for contacts, order in zip(
        await asyncio.gather(*(sealed(database, seal, *order) for order in orders)), orders, strict=True
    ):
        assert await opened(database, seal, *contacts) == order


async def test_nothing_personal_stands_in_the_database_in_clear(
    database: Database, seal: Seal, postgres: PostgreSQL
) -> None:
    contacts = await sealed(database, seal, somebody())
    async with database.transaction("ingest") as transaction:
        await transaction.execute("create table ingest.kept (sealed bytea)")
        await transaction.execute("insert into ingest.kept values ($1)", contacts[0].sealed)
        name = await transaction.fetchval("select current_database()")
    dump = postgres._tool("pg_dump", "--inserts", postgres.url(name))
    for canary in (word for text in CANARIES for word in text.split()):
        for form in (canary.encode(), canary.encode("utf-16-le"), base64.b64encode(canary.encode()).rstrip(b"=")):
            assert form.hex() not in dump
            assert form not in contacts[0].sealed
            assert form.decode("latin-1") not in dump


async def test_secrets_open_for_their_purpose_only(seal: Seal) -> None:
    kept = seal.seal_secret("source jira", b"whsec")
    assert seal.open_secret("source jira", kept) == b"whsec"
    assert b"whsec" not in kept
    assert Seal(KeyRing(RING)).open_secret("source jira", kept) == b"whsec"
    for stored in (kept[:-1], b"new\0", kept):
        with pytest.raises(ConfigurationError, match="not sealed as such"):
            seal.open_secret("source zendesk", stored)
    for ring, stored in ((OLD_RING, kept), (RING, b""), (RING, b"\xff\0")):
        with pytest.raises(ConfigurationError, match="is missing"):
            Seal(KeyRing(ring)).open_secret("source jira", stored)


def test_a_person_is_the_same_for_ever(seal: Seal) -> None:
    """Golden: the register, the limits per person and erasure hang on it."""
    assert seal.person_of("Li.Na@Example.com ", "+86138", "jira", "7") == UUID("d313272d-985a-43ac-f590-e9504ff68e83")


def test_a_person_is_named_by_mail_then_number_then_id(seal: Seal) -> None:
    by_mail = seal.person_of("li@example.com", "+86138", "jira", "7")
    assert by_mail == seal.person_of(" LI@example.COM", None, "zendesk", "8")
    by_number = seal.person_of(None, "+86138", "jira", "7")
    assert by_number == seal.person_of("", "+86138", "zendesk", "8")
    by_id = seal.person_of(None, None, "jira", "7")
    assert by_id != seal.person_of(None, None, "zendesk", "7")
    assert len({by_mail, by_number, by_id}) == 3
    with pytest.raises(ValueError, match="needs an e-mail"):
        seal.person_of(None, None, "jira", "")


def test_no_source_can_pretend_to_be_an_address(seal: Seal) -> None:
    people = [
        seal.person_of("a", None, "jira", None),
        seal.person_of(None, "a", "jira", None),
        seal.person_of(None, None, "email", "a"),
        seal.person_of(None, None, "phone", "a"),
        seal.person_of(None, None, "a", "b:c"),
        seal.person_of(None, None, "a:b", "c"),
    ]
    assert all(one != other for one, other in combinations(people, 2))


@given(st.uuids(), st.uuids(), st.text(max_size=9), st.text(max_size=9))
def test_link_tokens_are_long_stable_and_bound_to_their_purpose(a: UUID, b: UUID, one: str, other: str) -> None:
    seal = Seal(KeyRing(RING))
    token = seal.link_token(one, a)
    assert token == Seal(KeyRing(LATER_RING)).link_token(one, a)
    assert len(base64.urlsafe_b64decode(token + "=")) == 20
    assert (token == seal.link_token(other, b)) == ((one, a) == (other, b))
    assert len(token_hash(token)) == 32


@pytest.mark.parametrize(
    ("ring", "told"),
    [
        ("", "an entry"),
        ("k1:short,index:" + key("i"), "k1"),
        (f"k1:{key('k')}", "named `index`"),
        (f"index:{key('i')}", "at least one other"),
        (f"k1:{key('k')},k1:{key('l')},index:{key('i')}", "k1.*twice"),
        (f"k1:{key('k')};index:{key('i')}", "k1"),
    ],
)
def test_a_ring_that_does_not_hold_is_refused(ring: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=f"HUIFANG_KEYRING: .*{told}") as caught:
        KeyRing(ring)
    assert key("k") not in str(caught.value)


def test_generated_rings_hold_and_differ() -> None:
    assert KeyRing(KeyRing.generate()).newest == "k1"
    assert KeyRing.generate() != KeyRing.generate()
    with pytest.raises(KeyError):
        KeyRing(RING).derive("nobody", "wrap")
