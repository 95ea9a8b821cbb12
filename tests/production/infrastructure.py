"""What Perdure stands on in production, as real processes on loopback: each is started again when it dies."""

import asyncio
import base64
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from perdure.embedded import ports, postgres
from perdure.embedded.children import Child, ChildSpec
from perdure.embedded.postgres import APP_ROLE, OWNER_ROLE
from perdure.settings import Settings
from tests import redis_server, s3_server
from tests.embedding import model_directory
from tests.production import pooler, postgres_servers, temporal_cluster

PASSWORDS = {OWNER_ROLE: "owner-test", APP_ROLE: "app-test"}
# The names of the parts.
POSTGRES, POOLER, TEMPORAL_STORE, TEMPORAL, OBJECTS, REDIS = (
    "postgres",
    "pgbouncer",
    "temporal postgres",
    "temporal",
    "s3",
    "redis",
)


class Infrastructure:
    """Starts and ends the parts; each product on them has a database and a namespace of its own."""

    def __init__(self) -> None:
        # Not below pytest's folder: another run of pytest closes that to the user of PostgreSQL.
        self.home = Path(tempfile.mkdtemp(prefix="perdure-production-"))
        self._children: dict[str, Child] = {}

    async def start(self) -> None:
        """Everything at once, as far as nothing waits for anything."""
        s3 = s3_server.binary()
        assert s3 is not None, "no S3 server: scripts/production_parts.sh builds it"
        s3_port, self._redis_port = ports.unused(2)
        self.s3 = s3_server.S3Server.prepared(s3, self.home / "buckets", s3_port)
        redis = (redis_server.binary(), "--port", str(self._redis_port), "--bind", ports.LOOPBACK)
        await asyncio.gather(
            self._start_databases(),
            self._serve(OBJECTS, self.s3.command, self.s3.answers),
            self._serve(REDIS, (*redis, "--save", "", "--appendonly", "no"), self._redis_answers),
        )

    async def _start_databases(self) -> None:
        app_port, temporal_port = ports.unused(2)
        self.server = await asyncio.to_thread(
            postgres_servers.with_pgvector, self.home / "postgres", app_port
        )
        await asyncio.gather(
            self._start_app_database(), self._start_temporal(temporal_port, self.server.system_user)
        )

    async def _start_app_database(self) -> None:
        await self._serve_postgres(POSTGRES, self.server)
        await self.make_database(postgres.DATABASE)
        self.pooler = pooler.prepared(self.home / "pgbouncer", self.server, PASSWORDS)
        await self._serve(
            POOLER,
            self.pooler.command,
            lambda: self.pooler.answers(APP_ROLE, postgres.DATABASE),
            user=self.pooler.system_user,
        )

    async def _start_temporal(self, port: int, system_user: str | None) -> None:
        store = await asyncio.to_thread(
            postgres_servers.of_the_system, self.home / "temporal-postgres", port, system_user
        )
        await self._serve_postgres(TEMPORAL_STORE, store)
        role, password = temporal_cluster.ROLE, temporal_cluster.PASSWORD
        await store.make("temporal", role, {role: password})
        await store.make("visibility", role, {}, "btree_gin")
        await asyncio.to_thread(temporal_cluster.make_schema, store)
        self.temporal = temporal_cluster.prepared(self.home / "temporal", store)
        await self._serve(TEMPORAL, self.temporal.command, self.temporal.answers)

    async def _serve_postgres(self, name: str, server: postgres_servers.PostgresServer) -> None:
        await self._serve(
            name, server.command, server.answers, user=server.system_user, stop_signal=signal.SIGINT
        )

    async def _serve(self, name: str, command: tuple[str, ...], is_ready: object, **options: object) -> None:
        spec = ChildSpec(
            name=name,
            command=command,
            log=self.home / "logs" / f"{name.replace(' ', '-')}.log",
            is_ready=is_ready,  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
        self._children[name] = Child(spec, self.report, lambda: None)
        await self._children[name].start()

    def report(self, part: str, what: str, *, passing: bool = False) -> None:
        with (self.home / "events.log").open("a") as file:
            file.write(f"{part}: {what}\n")

    async def _redis_answers(self) -> bool:
        async with Redis.from_url(self.redis_url) as client:
            try:
                return bool(await client.ping())
            except (RedisError, OSError):
                return False

    @property
    def redis_url(self) -> str:
        return f"redis://{ports.LOOPBACK}:{self._redis_port}/0"

    async def make_database(self, name: str) -> None:
        """An empty database for a product of its own, which is to be migrated."""
        is_first = name == postgres.DATABASE
        await self.server.make(name, OWNER_ROLE, PASSWORDS if is_first else {}, "vector")

    def owner_url(self, database: str = postgres.DATABASE) -> str:
        """For migrations, which hold a lock on their connection: past the pooler."""
        return self.server.url(OWNER_ROLE, PASSWORDS[OWNER_ROLE], database)

    def app_url(self, database: str = postgres.DATABASE) -> str:
        """For the product: through the pooler."""
        return self.pooler.url(APP_ROLE, database)

    def environment(self, database: str, namespace: str) -> Mapping[str, str]:
        """All that a process of the product is told about where things are."""
        return {
            "DATABASE_URL": self.app_url(database),
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": namespace,
            "OBJECT_STORE_URL": f"s3://{s3_server.BUCKET}/{database}",
            **self.s3.environment,
            "REDIS_URL": self.redis_url,
            "PERDURE_MASTER_KEYS": f"k1:{base64.b64encode(bytes(range(32))).decode()}",
            "PERDURE_SECRET_KEY": "0123456789abcdef" * 4,
            "PERDURE_MODEL_HOME": str(model_directory().resolve()),
        }

    def settings(self, database: str, namespace: str, home: Path, **others: Any) -> Settings:
        """The same for a product in this process, which has the variables of the bucket in its environment."""
        said = self.environment(database, namespace)
        return Settings(
            home=home,
            model_home=Path(said["PERDURE_MODEL_HOME"]),
            database_url=said["DATABASE_URL"],
            temporal_address=said["TEMPORAL_ADDRESS"],
            temporal_namespace=said["TEMPORAL_NAMESPACE"],
            object_store_url=said["OBJECT_STORE_URL"],
            redis_url=said["REDIS_URL"],
            master_keys=said["PERDURE_MASTER_KEYS"],
            secret_key=said["PERDURE_SECRET_KEY"],
            **others,
        )

    def child(self, name: str) -> Child:
        return self._children[name]

    async def stop(self) -> None:
        """What serves first, what holds state last."""
        for names in ((TEMPORAL, POOLER, REDIS, OBJECTS), (TEMPORAL_STORE, POSTGRES)):
            await asyncio.gather(*(self._children[name].stop() for name in names if name in self._children))
        if "PERDURE_TEST_KEEP" not in os.environ:
            shutil.rmtree(self.home, ignore_errors=True)
