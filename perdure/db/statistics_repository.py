"""How common words are in a space, from a sample; the caller owns the transaction."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Below this, a search counts its words while it looks for them.
_SAMPLED_FROM = 5_000
_SAMPLE = 5_000
_GROWTH = 1.25
# A word in fewer chunks than this share is rare: looking for it costs little, so its count may be found then.
RARE_FREQUENCY = 0.002
# Identifiers end in random characters of this alphabet: a bound on the last two draws a sample.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True)
class Corpus:
    """What is counted: a table of texts, where its shares are kept, and the columns of a space that go with it."""

    texts: str
    shares: str
    count: str
    sampled: str
    mean: str


CHUNKS = Corpus("chunks", "space_lexemes", "chunk_count", "sampled_chunk_count", "mean_chunk_tokens")
MEMORIES = Corpus("memories", "memory_lexemes", "memory_count", "sampled_memory_count", "mean_memory_tokens")

_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:shares || ' ' || :space, 0))")


class _Statements:
    """The statements for one corpus; all names in them are those above."""

    def __init__(self, corpus: Corpus) -> None:
        self.space = text(
            f"SELECT {corpus.count} AS size, {corpus.sampled} AS sampled FROM spaces WHERE id = :space"
        )
        self.mean = text(
            f"""
            SELECT count(*), COALESCE(avg(token_count), 0) FROM {corpus.texts}
            WHERE space_id = :space AND right(id, 2) COLLATE "C" < :bound
            """
        )
        self.clear = text(f"DELETE FROM {corpus.shares} WHERE space_id = :space")
        self.fill = text(
            f"""
            INSERT INTO {corpus.shares} (organisation_id, space_id, lexeme, frequency)
            SELECT CAST(:organisation AS text), CAST(:space AS text), word, ndoc::real / CAST(:sampled AS real)
            FROM ts_stat(format(
                'SELECT tsv FROM {corpus.texts} WHERE space_id = %L AND right(id, 2) COLLATE "C" < %L',
                CAST(:space AS text), CAST(:bound AS text)
            ))
            WHERE ndoc >= :rare
            """
        )
        self.note = text(
            f"UPDATE spaces SET {corpus.sampled} = :count, {corpus.mean} = :mean WHERE id = :space"
        )


_STATEMENTS = {corpus: _Statements(corpus) for corpus in (CHUNKS, MEMORIES)}


class StatisticsRepository:
    """Word statistics of spaces."""

    def __init__(self, session: AsyncSession, organisation_id: str, corpus: Corpus = CHUNKS) -> None:
        self._session, self._organisation_id = session, organisation_id
        self._corpus, self._statements = corpus, _STATEMENTS[corpus]

    async def refresh_if_grown(self, space_id: str) -> bool:
        """Sample again when the space has grown by a quarter since; says whether it did.

        Costs some tenths of a second each time, which is once in a thousand documents. When two writers come
        here at once, one of them passes.
        """
        found = (await self._session.execute(self._statements.space, {"space": space_id})).one_or_none()
        if found is None or found.size < max(_SAMPLED_FROM, _GROWTH * found.sampled):
            return False
        if not (
            await self._session.execute(_LOCK, {"shares": self._corpus.shares, "space": space_id})
        ).scalar_one():
            return False
        await self.refresh(space_id, found.size)
        return True

    async def refresh(self, space_id: str, count: int) -> None:
        """Sample the space, whose size is about `count`."""
        share = min(1.0, _SAMPLE / max(1, count))
        bound = _bound(share)
        sampled, mean = (
            await self._session.execute(self._statements.mean, {"space": space_id, "bound": bound})
        ).one()
        await self._session.execute(self._statements.clear, {"space": space_id})
        if sampled:
            await self._session.execute(
                self._statements.fill,
                {
                    "organisation": self._organisation_id,
                    "space": space_id,
                    "bound": bound,
                    "sampled": sampled,
                    "rare": max(3, round(RARE_FREQUENCY * sampled)),
                },
            )
        await self._session.execute(
            self._statements.note, {"space": space_id, "count": count, "mean": float(mean)}
        )


def _bound(share: float) -> str:
    """The two-character string below which that share of random endings lies."""
    steps = len(_ALPHABET) ** 2
    place = min(steps, max(1, round(share * steps)))
    if place == steps:
        return "~"
    return _ALPHABET[place // len(_ALPHABET)] + _ALPHABET[place % len(_ALPHABET)]
