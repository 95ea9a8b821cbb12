"""How common words are in a space, from a sample; the caller owns the transaction."""

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

_SPACE = text("SELECT chunk_count, sampled_chunk_count FROM spaces WHERE id = :space")
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtextextended('space_lexemes ' || :space, 0))")
_MEAN = text(
    """
    SELECT count(*), COALESCE(avg(token_count), 0) FROM chunks
    WHERE space_id = :space AND right(id, 2) COLLATE "C" < :bound
    """
)
_CLEAR = text("DELETE FROM space_lexemes WHERE space_id = :space")
_FILL = text(
    """
    INSERT INTO space_lexemes (organisation_id, space_id, lexeme, frequency)
    SELECT CAST(:organisation AS text), CAST(:space AS text), word, ndoc::real / CAST(:sampled AS real)
    FROM ts_stat(format(
        'SELECT tsv FROM chunks WHERE space_id = %L AND right(id, 2) COLLATE "C" < %L', CAST(:space AS text),
        CAST(:bound AS text)
    ))
    WHERE ndoc >= :rare
    """
)
_NOTE = text("UPDATE spaces SET sampled_chunk_count = :count, mean_chunk_tokens = :mean WHERE id = :space")


class StatisticsRepository:
    """Word statistics of spaces."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def refresh_if_grown(self, space_id: str) -> bool:
        """Sample again when the space has grown by a quarter since; says whether it did.

        Costs some tenths of a second each time, which is once in a thousand documents. When two writers come
        here at once, one of them passes.
        """
        found = (await self._session.execute(_SPACE, {"space": space_id})).one_or_none()
        if found is None or found.chunk_count < max(_SAMPLED_FROM, _GROWTH * found.sampled_chunk_count):
            return False
        if not (await self._session.execute(_LOCK, {"space": space_id})).scalar_one():
            return False
        await self.refresh(space_id, found.chunk_count)
        return True

    async def refresh(self, space_id: str, chunk_count: int) -> None:
        """Sample the space, whose size is about `chunk_count`."""
        share = min(1.0, _SAMPLE / max(1, chunk_count))
        bound = _bound(share)
        sampled, mean = (await self._session.execute(_MEAN, {"space": space_id, "bound": bound})).one()
        await self._session.execute(_CLEAR, {"space": space_id})
        if sampled:
            await self._session.execute(
                _FILL,
                {
                    "organisation": self._organisation_id,
                    "space": space_id,
                    "bound": bound,
                    "sampled": sampled,
                    "rare": max(3, round(RARE_FREQUENCY * sampled)),
                },
            )
        await self._session.execute(_NOTE, {"space": space_id, "count": chunk_count, "mean": float(mean)})


def _bound(share: float) -> str:
    """The two-character string below which that share of random endings lies."""
    steps = len(_ALPHABET) ** 2
    place = min(steps, max(1, round(share * steps)))
    if place == steps:
        return "~"
    return _ALPHABET[place // len(_ALPHABET)] + _ALPHABET[place % len(_ALPHABET)]
