"""The pages of the memory explorer with invented content, extremes included."""

from typing import Any

from api.routes.console_memory_graph import draw, numbered
from api.routes.console_memory_views import (
    KIND_LABELS,
    MODES,
    RELATION_TONES,
    Answered,
    MemoryView,
    RecallView,
    marked,
    reasons,
    relation_views,
    version_views,
)
from api.routes.console_profiles import shown as shown_profile
from perdure.db.console_repository import ChunkSource, MessagePiece
from perdure.domain.ids import new_id
from perdure.domain.memories import MemoryKind
from perdure.domain.ranking_weights import RECALL_WEIGHTS
from perdure.domain.recall_ranking import RecallMode
from perdure.schemas.memories import (
    ForgetPreview,
    ForgetResult,
    MemoryRead,
    MemorySource,
    MemoryVersionRead,
    RecallAnswer,
    RecallHit,
    RecallOutcome,
    RelatedMemory,
    SessionHit,
    SessionRecall,
)
from perdure.schemas.profiles import ProfileRead, ProfileRelation, ProfileStatement, ProfileSummary
from perdure.schemas.search import ScoreTerm
from tests.browser.preview import LONG, Page, ago, common, operation

SAID = (
    "I moved to Lisbon in March, to a flat above a bakery.",
    "Ann prefers tea to coffee in the morning.",
    "The rehearsal is every Tuesday at seven in the hall behind the station.",
    "Ben and Ann painted the kitchen green, because the yellow reminded them of the office, and bought a second-hand "
    "table for it from a carpenter in Setúbal who also repaired the old chairs that came with the flat, all but one. "
    * 3,
    LONG,
)
PEOPLE = ["Ann", "Ben", "An-unbroken-name-" * 5]
RELATIONS = ("follows", "similar", "supports", "contradicts", "part_of", "mentions")


def memory(content: str, kind: str = "evidence", **more: Any) -> MemoryView:
    values: dict[str, Any] = {
        "space": "default",
        "subject": "Ann",
        "speaker": "Ann",
        "role": "user",
        "external_id": None,
        "session_id": "monday",
        "confidence": 0.86,
        "importance": 0.5,
        "valid_from": ago(days=3),
        "valid_to": None,
        "recorded_at": ago(days=2),
        "retired_at": None,
        "superseded_by": None,
        "source": MemorySource(id=new_id("msg"), start=0, end=len(content)),
        "version": 1,
        "accesses": 0,
        "tags": [],
        "metadata": {},
        "expires_at": None,
        "operation_id": new_id("op"),
        **more,
    }
    return MemoryView(MemoryRead(id=new_id("mem"), content=content, kind=MemoryKind(kind), **values))


MEMORIES = [
    memory(SAID[0], version=3, accesses=12),
    memory(SAID[1], "preference", speaker="Ben", tags=["drinks", "morning"]),
    memory(SAID[2], "event", valid_to=ago(days=1)),
    memory(SAID[3], "fact", subject=PEOPLE[2], speaker=None),
    memory(SAID[4], "insight", retired_at=ago(hours=2), superseded_by=new_id("mem")),
    memory("Three meetings about the budget.", "summary", expires_at=ago(days=1)),
]


def explorer(tab: str, **more: Any) -> dict[str, Any]:
    return {**common("memories"), "tab": tab, "fault": None, **more}


def hit(place: int) -> RecallView:
    terms = [
        ScoreTerm(name=name, value=weight * (0.9 - place / 9), weight=weight, raw=0.9 - place / 9)
        for name, weight in RECALL_WEIGHTS.items()
    ]
    return RecallView(
        RecallHit(
            id=new_id("mem"),
            content=SAID[place],
            kind=MemoryKind.EVIDENCE if place else MemoryKind.FACT,
            subject="Ann",
            speaker=PEOPLE[place % 3],
            external_id=None,
            session_id="monday",
            score=0.71 - place / 8,
            terms=terms,
            source=MemorySource(id=new_id("msg"), end=40),
            valid_from=ago(days=place + 1),
            valid_to=ago(hours=1) if place == 2 else None,
        )
    )


def ask(q: str, count: int, outcome: str | None, *, narrowed: bool = False, **more: Any) -> dict[str, Any]:
    results = [hit(place) for place in range(count)]
    answer = RecallAnswer(items=[], outcome=RecallOutcome(outcome), took_ms=7.3) if outcome else None
    given = {"subject": "Ann" if narrowed else "", "as_of": "2026-11-01T09:30" if narrowed else ""}
    return explorer(
        "ask",
        q=q,
        space="default",
        spaces=["default", "contracts"],
        people=PEOPLE,
        mode="hybrid",
        modes=MODES,
        given={**given, "known_at": "", "session_id": "monday" if narrowed else ""},
        is_narrowed=narrowed,
        answer=answer,
        results=results,
        has_memories=bool(q),
        **more,
    )


def browse(views: list[MemoryView], **shown: str) -> dict[str, Any]:
    fields = dict.fromkeys(("space", "subject", "session_id", "kind", "state"), "") | shown
    return explorer(
        "browse",
        views=views,
        shown=fields,
        spaces=["default", "contracts"],
        people=PEOPLE,
        kinds=KIND_LABELS,
        first_url="/memories/browse",
        next_url="/memories/browse?cursor=x" if views else None,
        is_first_page=True,
        is_filtered=bool(shown),
    )


def related(count: int) -> list[RelatedMemory]:
    return [
        RelatedMemory(
            id=new_id("mem"),
            relation=RELATIONS[place % len(RELATIONS)],
            direction="in" if place % 3 else "out",
            weight=1.0 if place < 2 else 0.93 - place / 40,
            content=SAID[place % len(SAID)],
            speaker="Ann" if place % 2 else None,
        )
        for place in range(count)
    ]


def versions(count: int) -> list[MemoryVersionRead]:
    return [
        MemoryVersionRead(
            version=number,
            content=SAID[number % 3] if number < count else MEMORIES[0].memory.content,
            kind=MemoryKind.EVIDENCE,
            confidence=1.0,
            importance=0.5,
            valid_from=ago(days=3),
            valid_to=None,
            tags=["home"] if number == count else [],
            metadata={},
            expires_at=None,
            recorded_at=ago(hours=9 - number),
            retired_at=None if number == count else ago(hours=8 - number),
            reason="She said Porto first, and Lisbon is right" if number == 2 else None,
            changed_by="usr_1" if number < count else None,
        )
        for number in range(count, 0, -1)
    ]


def memory_page(view: MemoryView, neighbours: int, **more: Any) -> dict[str, Any]:
    found = related(neighbours)
    numbers = numbered(found)
    relations = relation_views(found, numbers)
    among = {found[1].id: [found[2].model_copy(), found[4].model_copy()]} if neighbours > 4 else {}
    told = versions(view.memory.version)
    return explorer(
        "browse",
        view=view,
        message=[MessagePiece(view.memory.id, view.memory.content)],
        chunk=None,
        chunk_pieces=[],
        versions=version_views(told, {"usr_1": "Ada Lovelace"}),
        reasons=reasons(told),
        changes=[],
        back=f"/memories/{view.memory.id}",
        history_next=None,
        relations=relations,
        relation_tones=RELATION_TONES,
        graph_names={relation.related.id: relation.name for relation in reversed(relations)},
        graph_centre="this",
        graph=draw(found, among) if found else None,
        **more,
    )


def of_message() -> dict[str, Any]:
    view = memory(
        SAID[2], valid_to=ago(hours=1), metadata={"channel": "choir", "seen": {"by": ["Ann", "Ben"]}}
    )
    pieces = [
        MessagePiece(new_id("mem"), SAID[3]),
        MessagePiece(view.memory.id, SAID[2]),
        MessagePiece(new_id("mem"), SAID[1]),
    ]
    return memory_page(view, 0) | {"message": pieces}


def of_chunk() -> dict[str, Any]:
    source = MemorySource(type="chunk", id=new_id("chk"), start=len(SAID[0]) + 1, end=len(SAID[0]) + 42)
    text = " ".join(SAID[:3])
    chunk = ChunkSource(source.id, new_id("doc"), LONG, text)
    view = memory(
        SAID[1],
        "fact",
        source=source,
        merged_sources=[source, source.model_copy(update={"document_id": new_id("doc")})],
        retired_at=ago(hours=2),
        superseded_by=new_id("mem"),
    )
    page = memory_page(view, 30)
    return page | {"message": [], "chunk": chunk, "chunk_pieces": marked(text, source.start, source.end)}


def of_memories() -> dict[str, Any]:
    source = MemorySource(type="memory", id=new_id("mem"))
    return memory_page(memory(SAID[0], "insight", source=source, speaker=None), 9) | {"message": []}


def correction(fault: str | None = None) -> dict[str, Any]:
    view = MEMORIES[3]
    return explorer(
        "browse",
        view=view,
        values={
            "content": view.memory.content,
            "kind": "fact",
            "tags": "home, flat",
            "confidence": "0.86",
            "importance": "0.5",
            "valid_from": "2026-11-18T10:00",
            "valid_to": "",
            "expires_at": "",
        },
        reason="",
        kinds=KIND_LABELS,
    ) | {"fault": fault}


def forgetting(views: list[MemoryView] | None, total: int = 0, **more: Any) -> dict[str, Any]:
    preview = ForgetPreview(items=[view.memory for view in views], total=total) if views is not None else None
    return explorer(
        "forget",
        by="subject",
        what="Ann" if preview else "",
        reason="",
        space="default",
        spaces=["default", "contracts"],
        people=PEOPLE,
        preview=preview,
        views=views or [],
    ) | dict(more)


def receipt(*, done: bool) -> dict[str, Any]:
    ids = [new_id("mem") for _ in range(4)]
    result = ForgetResult(
        forgotten=1204,
        versions=1310,
        vectors=1310,
        relations=88,
        changes=12,
        tombstones=1190,
        memory_ids=ids,
        missing=2,
        reason="She asked us to",
    )
    return explorer(
        "forget",
        operation=operation("Forget memories", "completed" if done else "running", "forget").operation,
        receipt=result if done else None,
    )


def session(count: int) -> dict[str, Any]:
    recalls = [
        SessionRecall(
            id=new_id("rcl"),
            query=SAID[place] if place == 3 else "Where does Ann live now?",
            mode=RecallMode.HYBRID,
            outcome=RecallOutcome.FOUND if place != 1 else RecallOutcome.NOTHING_RELEVANT,
            hits=[SessionHit(id="x", score=0.6)] * 4,
            took_ms=8.2,
            asked_at=ago(minutes=place),
        )
        for place in range(count)
    ]
    answered = [
        Answered(recall, [(view, 0.61) for view in MEMORIES[2:5]] if place != 1 else [], place)
        for place, recall in enumerate(recalls)
    ]
    return explorer("ask", session_id="monday", answered=answered, next_url="/memories/sessions?cursor=x")


def new() -> dict[str, Any]:
    values = {"content": "", "subject": "Ann", "speaker": "", "session_id": ""}
    return explorer(
        "browse",
        values=values,
        kind="evidence",
        kinds=KIND_LABELS,
        space="default",
        spaces=["default"],
        people=PEOPLE,
    ) | {"fault": "Say what is to be remembered."}


def files() -> dict[str, Any]:
    return explorer(
        "files",
        space="default",
        spaces=["default", "contracts"],
        people=PEOPLE,
        max_upload_bytes=200 * 1024 * 1024,
    )


def statement(place: int, **more: Any) -> ProfileStatement:
    given: dict[str, Any] = {"kind": MemoryKind.FACT, "valid_from": ago(days=place), "score": 0.4, **more}
    return ProfileStatement(memory_id=new_id("mem"), content=SAID[place % len(SAID)], **given)


def profile(subject: str, *, full: bool) -> dict[str, Any]:
    read = ProfileRead(
        subject=subject,
        space="default",
        facts=[statement(0, attribute="lives in"), statement(3), statement(4)] if full else [],
        preferences=[statement(1, kind=MemoryKind.PREFERENCE)] if full else [],
        recent=[statement(place) for place in range(5)] if full else [statement(2)],
        relations=[
            ProfileRelation(
                memory_id=each.id,
                content=each.content,
                kind=MemoryKind.EVIDENCE,
                valid_from=ago(days=2),
                score=each.weight,
                relation=each.relation,
                direction=each.direction,
                of=new_id("mem"),
            )
            for each in related(9 if full else 0)
        ],
        updated_at=ago(hours=1),
    )
    return {**explorer("profiles"), **shown_profile(read)}


def profiles(count: int) -> dict[str, Any]:
    names = [*PEOPLE, *(f"Person {number}" for number in range(count))][:count]
    return explorer(
        "profiles",
        space="default",
        spaces=["default", "contracts"],
        profiles=[
            ProfileSummary(subject=name, space="default", updated_at=ago(hours=place))
            for place, name in enumerate(names)
        ],
        first_url="/memories/profiles",
        next_url="/memories/profiles?cursor=x" if count else None,
        is_first_page=False,
    )


PAGES: dict[str, Page] = {
    "memories-ask": Page("memories_ask.html", lambda: ask("Where does Ann live?", 5, "found")),
    "memories-ask-narrowed": Page(
        "memories_ask.html", lambda: ask("Where did Ann live?", 0, "nothing_stored", narrowed=True)
    ),
    "memories-ask-irrelevant": Page("memories_ask.html", lambda: ask("zebra", 0, "nothing_relevant")),
    "memories-ask-empty": Page("memories_ask.html", lambda: ask("Where?", 0, "nothing_stored")),
    "memories-ask-fault": Page(
        "memories_ask.html", lambda: ask("Where?", 0, None) | {"fault": "There is no space 'x'."}
    ),
    "memories-start": Page("memories_ask.html", lambda: ask("", 0, None)),
    "memories-browse": Page("memories_browse.html", lambda: browse(MEMORIES)),
    "memories-browse-empty": Page("memories_browse.html", lambda: browse([])),
    "memories-browse-filtered": Page(
        "memories_browse.html", lambda: browse([], subject="Ann", session_id="monday", state="all")
    ),
    "memories-new": Page("memories_new.html", new),
    "memories-session": Page("memories_session.html", lambda: session(4)),
    "memories-session-empty": Page("memories_session.html", lambda: session(0)),
    "memory": Page("memory.html", lambda: memory_page(MEMORIES[0], 7)),
    "memory-of-message": Page("memory.html", of_message),
    "memory-of-chunk": Page("memory.html", of_chunk),
    "memory-of-memories": Page("memory.html", of_memories),
    "memory-correct": Page("memory_correct.html", correction),
    "memory-correct-fault": Page(
        "memory_correct.html", lambda: correction("It is at version 4 now: read it again, then change it.")
    ),
    "profiles": Page("memories_profiles.html", lambda: profiles(6)),
    "profiles-empty": Page("memories_profiles.html", lambda: profiles(0)),
    "profile": Page("memories_profile.html", lambda: profile("Ann", full=True)),
    "profile-small": Page("memories_profile.html", lambda: profile(PEOPLE[2], full=False)),
    "memories-forget": Page("memories_forget.html", lambda: forgetting(None)),
    "memories-forget-preview": Page("memories_forget.html", lambda: forgetting(MEMORIES, 1204)),
    "memories-forget-nothing": Page("memories_forget.html", lambda: forgetting([])),
    "memories-forgotten": Page("memories_forgotten.html", lambda: receipt(done=True)),
    "memories-forgetting": Page("memories_forgotten.html", lambda: receipt(done=False)),
    "memories-files": Page("memories_files.html", files),
}
