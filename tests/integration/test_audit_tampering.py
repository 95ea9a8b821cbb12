"""Whoever changes the trail in the database itself is found: as a superuser, past every right and trigger."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from api.anchorer import Anchorer
from perdure.audit_anchors import FOLDER, AuditAnchors
from perdure.audit_verification import verify_all, verify_trail
from perdure.db.audit_trail import AuditTrail
from perdure.db.session import Database
from perdure.domain.audit import GENESIS, SYSTEM, Action, Actor, ActorKind, FaultKind, Verdict, event_hash
from perdure.domain.audit_anchors import Anchor, AnchorSigner
from perdure.embedded import postgres
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.schemas.operations import Subject

EVENTS = 60
CASES = 500
COLUMNS = (
    "organisation_id",
    "sequence",
    "at",
    "actor_kind",
    "actor_id",
    "person_id",
    "action",
    "subject_type",
    "subject_id",
    "request_id",
    "origin",
    "details",
    "previous_hash",
    "hash",
)
SECRET = b"a secret of the tests, long enough"


@pytest.fixture
async def superuser(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    """Someone with every right."""
    database = Database(embedded_postgres.url("postgres"), 2)
    yield database
    await database.aclose()


@pytest.fixture
def anchors() -> AuditAnchors:
    return AuditAnchors(ObstoreObjectStore.from_url("memory://"), AnchorSigner(SECRET))


@dataclass
class Trail:
    """A recorded and anchored trail, with an enemy."""

    organisation_id: str
    database: Database
    superuser: Database
    anchors: AuditAnchors
    moved_to: set[str] = field(default_factory=set)

    async def verify(self) -> Verdict:
        return await verify_trail(self.database.transaction, self.anchors, self.organisation_id)

    async def tamper(self, statement: str, **values: Any) -> None:
        async with self.superuser.transaction(None) as session:
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            await session.execute(text(statement), {"organisation": self.organisation_id, **values})

    async def keep(self) -> None:
        """Note the trail as it is."""
        for table in ("audit_events", "audit_heads"):
            await self.tamper(f"DROP TABLE IF EXISTS kept_{table}")
            await self.tamper(f"CREATE TABLE kept_{table} AS SELECT * FROM {table} WHERE false")
            await self.tamper(
                f"INSERT INTO kept_{table} SELECT * FROM {table} WHERE organisation_id = :organisation"
            )

    async def restore(self) -> None:
        for table in ("audit_events", "audit_heads"):
            await self.tamper(
                f"DELETE FROM {table} WHERE organisation_id = ANY(:all)",
                all=[self.organisation_id, *self.moved_to],
            )
            await self.tamper(f"INSERT INTO {table} SELECT * FROM kept_{table}")
        self.moved_to.clear()

    async def forget(self) -> None:
        for table in ("audit_events", "audit_heads"):
            await self.tamper(f"DROP TABLE IF EXISTS kept_{table}")


@pytest.fixture
async def trail(
    database: Database, superuser: Database, organisation_id: str, anchors: AuditAnchors
) -> AsyncIterator[Trail]:
    trail = Trail(organisation_id, database, superuser, anchors)
    chance = random.Random(7)
    for number in range(EVENTS):
        person = chance.choice(["usr_ada", None])
        actor = Actor(ActorKind.API_KEY, "key_1", person, chance.choice(["req-1", None]))
        async with database.transaction(organisation_id) as session:
            await AuditTrail(session, organisation_id).record(
                chance.choice(list(Action)),
                chance.choice([actor, SYSTEM]),
                subject=chance.choice([Subject(type="document", id=f"doc_{number}"), None]),
                details=chance.choice([{}, {"number": number, "words": ["ä", "b"]}]),
            )
    assert await Anchorer(database, anchors, 60).anchor() >= 1
    await trail.keep()
    yield trail
    await trail.restore()
    await trail.forget()


def other_byte(value: bytes, chance: random.Random) -> bytes:
    """The value with one byte changed; what was empty has one now."""
    if not value:
        return b"x"
    place = chance.randrange(len(value))
    changed = bytearray(value)
    changed[place] ^= chance.randint(1, 255)
    return bytes(changed)


def changed_text(value: str | None, chance: random.Random) -> str:
    """One byte changed, so that it is text still, which is all that the column takes."""
    while True:
        try:
            changed = other_byte((value or "").encode(), chance).decode()
        except UnicodeDecodeError:
            continue
        if "\x00" not in changed:
            return changed


async def change_a_byte(trail: Trail, chance: random.Random) -> str:
    column, sequence = chance.choice(COLUMNS), chance.randint(1, EVENTS)
    where = "organisation_id = :organisation AND sequence = :sequence"
    async with trail.superuser.transaction(None) as session:
        given = {"organisation": trail.organisation_id, "sequence": sequence}
        binary = {"sequence": "int8send(sequence)", "at": "timestamptz_send(at)"}.get(column, column)
        value = await session.scalar(text(f"SELECT {binary} FROM audit_events WHERE {where}"), given)
    if column == "sequence":
        new: int | str = int.from_bytes(other_byte(value, chance), "big", signed=True)
        setting = "sequence = CAST(:new AS bigint)"
    elif column == "at":
        # The same eight bytes, one of them changed, as microseconds since 2000.
        microseconds = int.from_bytes(other_byte(value, chance), "big", signed=True)
        if not -211_813_488_000_000_000 <= microseconds < 9_223_371_331_200_000_000:
            return await change_a_byte(trail, chance)  # PostgreSQL's own calendar ends there
        seconds, rest = divmod(microseconds, 1_000_000)
        new = f"{seconds} seconds {rest} microseconds"
        setting = "at = timestamptz '2000-01-01 00:00:00+00' + CAST(:new AS text)::interval"
    else:
        new = changed_text(value, chance)
        setting = f"{column} = CAST(:new AS text)"
        if column == "organisation_id":
            trail.moved_to.add(str(new))
    try:
        await trail.tamper(f"UPDATE audit_events SET {setting} WHERE {where}", sequence=sequence, new=new)
    except IntegrityError:
        return await change_a_byte(trail, chance)  # there is an event of that number
    return f"{column} of event {sequence}: {value!r} became {new!r}"


async def remove_a_row(trail: Trail, chance: random.Random) -> str:
    sequence = chance.choice([chance.randint(1, EVENTS), 1, EVENTS])
    await trail.tamper(
        "DELETE FROM audit_events WHERE organisation_id = :organisation AND sequence = :sequence",
        sequence=sequence,
    )
    return f"event {sequence} removed"


async def test_500_of_500_changed_bytes_and_removed_rows_are_found(trail: Trail) -> None:
    chance = random.Random(20_261_121)
    assert (await trail.verify()).is_sound
    found, missed = 0, []
    kinds: dict[str, int] = {}
    for _ in range(CASES):
        attack: Callable[..., Awaitable[str]] = chance.choice([change_a_byte, change_a_byte, remove_a_row])
        what = await attack(trail, chance)
        if (await trail.verify()).is_sound:
            missed.append(what)
        else:
            found += 1
        kinds[attack.__name__] = kinds.get(attack.__name__, 0) + 1
        await trail.restore()
    assert (found, missed) == (CASES, [])
    assert min(kinds.values()) > 100
    assert (await trail.verify()).is_sound


async def test_a_tail_cut_off_with_its_head_is_missed_by_the_anchor(trail: Trail) -> None:
    for left in (EVENTS - 1, EVENTS // 2, 1):
        await trail.tamper(
            "DELETE FROM audit_events WHERE organisation_id = :organisation AND sequence > :left", left=left
        )
        await trail.tamper(
            "UPDATE audit_heads SET (sequence, hash) = (SELECT sequence, hash FROM audit_events e "
            "WHERE e.organisation_id = :organisation AND e.sequence = :left) WHERE organisation_id = :organisation",
            left=left,
        )
        verdict = await trail.verify()
        assert [fault.kind for fault in verdict.faults] == [FaultKind.TRUNCATED]
        await trail.restore()


async def test_a_trail_that_is_gone_altogether_is_missed(trail: Trail) -> None:
    for table in ("audit_events", "audit_heads"):
        await trail.tamper(f"DELETE FROM {table} WHERE organisation_id = :organisation")
    verdicts = {
        verdict.organisation_id: verdict
        async for verdict in verify_all(trail.database.transaction, trail.anchors)
    }
    assert [fault.kind for fault in verdicts[trail.organisation_id].faults] == [FaultKind.TRUNCATED]


async def rehash(session: AsyncSession, organisation_id: str) -> None:
    """What an enemy with the source code does: the whole chain anew, so that every hash fits."""

    previous = GENESIS
    for stored in await AuditTrail(session, organisation_id).page():
        event = replace(stored.event, previous_hash=previous)
        previous = event_hash(event)
        await session.execute(
            text(
                "UPDATE audit_events SET previous_hash = :before, hash = :hash "
                "WHERE organisation_id = :organisation AND sequence = :sequence"
            ),
            {
                "before": event.previous_hash,
                "hash": previous,
                "organisation": organisation_id,
                "sequence": event.sequence,
            },
        )
    await session.execute(
        text("UPDATE audit_heads SET hash = :hash WHERE organisation_id = :organisation"),
        {"hash": previous, "organisation": organisation_id},
    )


async def test_a_chain_that_was_hashed_anew_contradicts_its_anchor(trail: Trail) -> None:
    async with trail.superuser.transaction(trail.organisation_id) as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        await session.execute(
            text(
                "UPDATE audit_events SET details = '{}', actor_id = 'usr_eve' "
                "WHERE sequence = 9 AND organisation_id = :o"
            ),
            {"o": trail.organisation_id},
        )
        await rehash(session, trail.organisation_id)
    verdict = await trail.verify()
    assert {fault.kind for fault in verdict.faults} == {FaultKind.ANCHOR_DIFFERS}


async def test_an_anchor_that_we_did_not_write_is_found(trail: Trail) -> None:
    forger = AnchorSigner(b"another secret that is long enough")
    anchor = Anchor(trail.organisation_id, EVENTS, "ab" * 32, datetime.now(UTC))
    await trail.anchors.objects.put(
        f"{FOLDER}/{trail.organisation_id}/2026-01-01-x.json", forger.seal(anchor)
    )
    verdict = await trail.verify()
    assert [fault.kind for fault in verdict.faults] == [FaultKind.ANCHOR_FORGED]


async def test_an_anchor_of_another_organisation_proves_nothing(trail: Trail) -> None:
    anchor = Anchor("org_other", 1, "ab" * 32, datetime.now(UTC))
    key = f"{FOLDER}/{trail.organisation_id}/2026-01-01-x.json"
    await trail.anchors.objects.put(key, trail.anchors.signer.seal(anchor))
    assert [fault.kind for fault in (await trail.verify()).faults] == [FaultKind.ANCHOR_FORGED]


async def test_an_anchor_is_never_replaced_by_one_of_a_shorter_or_other_trail(
    trail: Trail, database: Database
) -> None:
    anchorer = Anchorer(database, trail.anchors, 60)
    await anchorer.anchor()

    async def anchored() -> int:
        return max(a.sequence for a in (await trail.anchors.read(trail.organisation_id)).anchors)

    before = await anchored()
    await trail.tamper("DELETE FROM audit_events WHERE organisation_id = :organisation AND sequence > 10")
    await trail.tamper(
        "UPDATE audit_heads SET (sequence, hash) = (SELECT sequence, hash FROM audit_events e "
        "WHERE e.organisation_id = :organisation AND e.sequence = 10) WHERE organisation_id = :organisation"
    )
    for count in (1, EVENTS):
        for _ in range(count):
            async with database.transaction(trail.organisation_id) as session:
                await AuditTrail(session, trail.organisation_id).record(Action.USER_LOGGED_IN, SYSTEM)
        await anchorer.anchor()
        assert await anchored() == before
        assert not (await trail.verify()).is_sound


async def test_verifying_beside_writers_finds_nothing(trail: Trail, database: Database) -> None:

    async def write() -> None:
        for _ in range(30):
            async with database.transaction(trail.organisation_id) as session:
                await AuditTrail(session, trail.organisation_id).record(Action.USER_LOGGED_IN, SYSTEM)

    async def look() -> None:
        anchorer = Anchorer(database, trail.anchors, 60)
        for _ in range(15):
            await anchorer.anchor()
            assert (await trail.verify()).is_sound

    await asyncio.gather(write(), write(), look(), look())
