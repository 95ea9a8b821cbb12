"""Refuses to run where row level security would not hold, or where the schema is not the one of this code."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db import migrate
from perdure.db.models import TENANT_TABLES
from perdure.db.session import Database
from perdure.errors import ConfigurationError

_ROLE = text("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
# Membership counts as ownership: a member may SET ROLE to the owner.
_OWNED = text(
    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
    "AND c.relkind IN ('r', 'p', 'v', 'm') AND pg_has_role(current_user, c.relowner, 'MEMBER') ORDER BY 1"
)
_STRONGER_ROLES = text(
    "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND rolname <> current_user "
    "AND pg_has_role(current_user, oid, 'MEMBER') ORDER BY 1"
)
# Every table with an organisation, known to this code or not, and the organisations themselves.
_UNPROTECTED = text(
    "SELECT c.relname FROM pg_class c "
    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') "
    "AND (c.relname = ANY(:known) OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid "
    "AND a.attname = 'organisation_id' AND NOT a.attisdropped)) "
    "AND NOT (c.relrowsecurity AND c.relforcerowsecurity "
    "AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)) ORDER BY 1"
)
_VIEWS = text(
    "SELECT relname FROM pg_class "
    "WHERE relnamespace = 'public'::regnamespace AND (relkind = 'm' OR relkind = 'v' "
    "AND NOT COALESCE(reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false)) ORDER BY 1"
)
_EXTENSION = text("SELECT extversion FROM pg_extension WHERE extname = 'vector'")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and what mends it."""

    what: str
    remedy: str


async def find_faults(database: Database) -> list[Fault]:
    """Everything that speaks against running with this database; empty when all is well."""
    async with database.transaction(None) as session:
        return [
            *await _role_faults(session),
            *await _schema_faults(session),
            *await _protection_faults(session),
        ]


async def check_app_role(database: Database) -> None:
    """Raise `ConfigurationError`, naming every fault and its remedy; API and worker call this at start."""
    faults = await find_faults(database)
    if faults:
        listed = " ".join(f"{n}. {fault.what} {fault.remedy}" for n, fault in enumerate(faults, 1))
        raise ConfigurationError(f"Perdure does not start with this database. {listed}")


async def _role_faults(session: AsyncSession) -> list[Fault]:
    role = (await session.execute(_ROLE)).one()
    remedy = (
        "Point DATABASE_URL at a role of its own: CREATE ROLE perdure_app LOGIN NOSUPERUSER NOBYPASSRLS, "
        "and run `perdure migrate` with DATABASE_OWNER_URL set to the owner."
    )
    faults = []
    if role.rolsuper:
        faults.append(Fault(f"The role {role.rolname} is a superuser and sees every organisation.", remedy))
        return faults  # a superuser is a member of every role: the rest would only repeat it
    if role.rolbypassrls:
        faults.append(Fault(f"The role {role.rolname} has BYPASSRLS and sees every organisation.", remedy))
    stronger = (await session.scalars(_STRONGER_ROLES)).all()
    if stronger:
        faults.append(
            Fault(
                f"The role {role.rolname} may become {', '.join(stronger)}, which sees every row.",
                f"Run REVOKE {', '.join(stronger)} FROM {role.rolname}.",
            )
        )
    owned = (await session.scalars(_OWNED)).all()
    if owned:
        faults.append(Fault(f"The role {role.rolname} owns {', '.join(owned)}.", remedy))
    return faults


async def _schema_faults(session: AsyncSession) -> list[Fault]:
    faults = []
    if await session.scalar(_EXTENSION) is None:
        remedy = "As a superuser run CREATE EXTENSION vector (pgvector 0.8 or newer)."
        faults.append(Fault("The extension `vector` is missing.", remedy))
    schema = await migrate.examine(await session.connection())
    if not schema.usable:
        faults.append(
            Fault(
                f"The schema is at revision {schema.current or 'none'}, this version needs {schema.newest}.",
                "Start the newer version of Perdure that migrated it."
                if schema.ahead
                else "Run `perdure migrate`.",
            )
        )
    return faults


async def _protection_faults(session: AsyncSession) -> list[Fault]:
    known = ["organisations", *TENANT_TABLES]
    remedy = (
        "Restore the policies as the migrations make them; `perdure migrate` on a new database shows how."
    )
    faults = [
        Fault(f"Row level security is not forced on the table {table}.", remedy)
        for table in await session.scalars(_UNPROTECTED, {"known": known})
    ]
    faults.extend(
        Fault(
            f"The view {view} shows the rows of every organisation.",
            f"Run ALTER VIEW {view} SET (security_invoker = true), or drop it.",
        )
        for view in await session.scalars(_VIEWS)
    )
    return faults
