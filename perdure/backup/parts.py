"""Which parts of an installation lie under its home, and which are backed up by means of their own."""

from dataclasses import dataclass, field
from pathlib import Path

from perdure.errors import NotFoundError
from perdure.providers.obstore_object_store import directory_of
from perdure.settings import Settings

POSTGRES_ELSEWHERE = (
    "DATABASE_URL names another server: back it up by its own means (pg_dump as a superuser, pg_basebackup, or "
    "your provider's point-in-time recovery), at a moment after this one, never before"
)
TEMPORAL_ELSEWHERE = (
    "TEMPORAL_ADDRESS names another server: back up its database by its own means, at a moment before that of "
    "Perdure's database, never after"
)
OBJECTS_ELSEWHERE = (
    "OBJECT_STORE_URL names a bucket: turn its versioning on, or replicate it, and keep deleted versions for "
    "longer than the time between two backups"
)


@dataclass(frozen=True)
class Parts:
    """Where what is to be backed up lies; None for what is elsewhere."""

    home: Path
    postgres: Path | None
    temporal: Path | None
    objects: Path | None
    elsewhere: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> "Parts":
        """Go by the settings and by what is there: `stack.env` names embedded parts by addresses, too."""
        home, elsewhere = settings.home, {}
        postgres: Path | None = home / "postgres"
        temporal: Path | None = home / "temporal" / "temporal.db"
        if _is_foreign_database(settings):
            postgres, elsewhere["database"] = None, POSTGRES_ELSEWHERE
        if _is_foreign_temporal(settings):
            temporal, elsewhere["temporal"] = None, TEMPORAL_ELSEWHERE
        for found in (postgres and postgres / "PG_VERSION", temporal):
            if found and not found.exists():
                msg = (
                    f"there is no {found}: set PERDURE_HOME to the home of the installation, or start it once"
                )
                raise NotFoundError(msg)
        objects = directory_of(settings.objects_url)
        if objects is None:
            elsewhere["objects"] = OBJECTS_ELSEWHERE
        return cls(home, postgres, temporal, objects, elsewhere)


def _is_foreign_database(settings: Settings) -> bool:
    """Whether the address is one that no embedded server has: those have a socket and no host."""
    url = settings.database_url
    return bool(url) and not url.startswith("postgresql://perdure_app@/perdure?host=/")


def _is_foreign_temporal(settings: Settings) -> bool:
    host = settings.temporal_address.rpartition(":")[0]
    return host not in {"", "127.0.0.1", "localhost", "[::1]"}
