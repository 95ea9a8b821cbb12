"""Where rates are counted that all processes share."""

from perdure.db.rate_limit_store import PostgresRateStore
from perdure.db.session import Database
from perdure.ports.rate_limits import RateStore
from perdure.settings import Settings


def rate_store(settings: Settings, database: Database) -> RateStore:
    """Redis or Valkey where there is one, else the database."""
    if not settings.redis_url:
        return PostgresRateStore(database)
    # Its client loads OpenTelemetry and takes 26 MB, for one setting that few make.
    from perdure.providers.redis_rate_store import RedisRateStore  # noqa: PLC0415

    return RedisRateStore(settings.redis_url)
