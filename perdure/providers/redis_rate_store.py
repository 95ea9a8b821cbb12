"""Rate limits in Redis or Valkey: one script for whatever a process has let through since the last call."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from perdure.errors import ConfigurationError, UnavailableError

PREFIX = "perdure:rate:"
TIMEOUT_S = 1.0

# Microseconds since 1970 stay exact in Lua's floating-point numbers until the year 2255.
_BOOK = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ahead = {}
for number, key in ipairs(KEYS) do
    local held = tonumber(redis.call('GET', key)) or now
    local booked = math.max(held, now) + tonumber(ARGV[number])
    ahead[number] = booked - now
    redis.call('SET', key, string.format('%.0f', booked), 'PX', math.ceil(ahead[number] / 1000) + 1)
end
return ahead
"""


class RedisRateStore:
    """See `RateStore`. Keys expire when they have run down."""

    def __init__(self, url: str) -> None:
        try:
            self._redis: Redis = Redis.from_url(
                url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
            )
        except ValueError as error:
            detail = (
                f"REDIS_URL is no address of Redis or Valkey ({error}); it looks like redis://host:6379/0."
            )
            raise ConfigurationError(detail) from error
        self._script: Any = self._redis.register_script(_BOOK)

    async def book(self, booked_us: Mapping[str, int]) -> dict[str, int]:
        """See `RateStore`."""
        try:
            ahead = await self._script(
                keys=[f"{PREFIX}{key}" for key in booked_us], args=list(booked_us.values())
            )
        except (RedisError, OSError) as error:
            msg = f"Redis does not keep the rate limits: {error}"
            raise UnavailableError(msg) from error
        return dict(zip(booked_us, map(int, ahead), strict=True))

    async def sweep(self) -> None:
        """Keys expire by themselves."""

    async def aclose(self) -> None:
        """See `RateStore`."""
        await self._redis.aclose()
