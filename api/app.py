"""The application: routes, and the real parts behind them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import Depends, FastAPI
from temporalio.client import Client

from activities.language_models import RoutedLanguageModels
from api import dependencies, problems
from api.anchorer import Anchorer
from api.approvals import Approvals
from api.content_links import ContentLinks
from api.erasure_receipts import ErasureReceipts
from api.mcp import McpEndpoint
from api.middleware import RequestMiddleware
from api.observations import Observations
from api.operations import Operations
from api.reconciler import Reconciler
from api.routes import (
    api_keys,
    approval_audit,
    approval_decisions,
    approvals,
    audit,
    auth,
    classification,
    classification_workflows,
    codec,
    console_accounts,
    console_approval_policies,
    console_approvals,
    console_audit,
    console_classification,
    console_classification_batches,
    console_classification_workflows,
    console_documents,
    console_evolution,
    console_forgetting,
    console_memories,
    console_memory_files,
    console_operations,
    console_privacy,
    console_profiles,
    console_providers,
    console_reference,
    console_retention,
    console_search,
    console_secrets,
    console_settings,
    console_usage,
    console_webhooks,
    console_workflow_executions,
    console_workflows,
    decision_links,
    document_workflows,
    documents,
    encryption,
    evolution,
    health,
    members,
    memories,
    memory_files,
    operations,
    organisation,
    privacy,
    profiles,
    provider_keys,
    providers,
    retention,
    search,
    secrets,
    usage,
    webhooks,
    workflow_executions,
)
from api.routes.console_rendering import STATIC_FOLDER, VersionedStaticFiles
from api.sweeper import Sweeper
from api.workflow_executions import Executions
from api.workflow_library import WorkflowLibrary
from api.workflow_links import WorkflowLinks
from perdure import __version__, tracing
from perdure.audit_anchors import AuditAnchors
from perdure.db.guard import check_app_role
from perdure.db.keyring import Keyring
from perdure.db.label_sets import LabelSets
from perdure.db.master_key_check import check_master_keys
from perdure.db.recall_service import RecallService
from perdure.db.search_service import SearchService
from perdure.db.session import Database
from perdure.environment_keys import environment_keys
from perdure.free_memory import given_back
from perdure.ports.models import Embedders
from perdure.ports.storage import ObjectStore
from perdure.provider_calls import ProviderCalls
from perdure.providers.embedders import LocalEmbedders
from perdure.providers.language_models import LanguageModels
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.providers.remote_embedders import RemoteEmbedders
from perdure.rate_stores import rate_store
from perdure.routed_embedders import RoutedEmbedders
from perdure.secret_key import load_secret_key
from perdure.settings import Settings
from workflows.client import connect
from workflows.sdk_metrics import ClientFigures

# Somebody waits for it in front of a screen.
KEY_TEST_TIMEOUT = timedelta(seconds=20)
UPLOADS = (r"/api/v1/documents", r"/api/v1/documents/batch", r"/api/v1/memories/import", r"/memories/import")
# Each request is held against these in turn.
ROUTERS = (
    operations.router,
    approvals.router,
    approval_decisions.bulk,
    approval_decisions.router,
    approval_audit.router,
    approval_audit.executions,
    auth.router,
    organisation.router,
    members.router,
    api_keys.router,
    documents.router,
    documents.spaces,
    documents.content,
    search.router,
    memory_files.router,
    evolution.router,
    memories.router,
    profiles.router,
    secrets.router,
    encryption.router,
    codec.router,
    audit.router,
    privacy.users,
    privacy.organisation,
    privacy.erasures,
    privacy.exports,
    retention.router,
    providers.router,
    provider_keys.router,
    usage.router,
    webhooks.router,
    classification_workflows.router,
    classification.router,
    workflow_executions.router,
    document_workflows.router,
    health.router,
)
CONSOLE = (
    console_accounts.router,
    console_operations.router,
    console_documents.router,
    console_search.router,
    console_forgetting.router,
    console_memory_files.router,
    console_profiles.router,
    console_evolution.router,
    console_memories.router,
    console_approval_policies.router,
    console_approvals.router,
    console_classification_workflows.router,
    console_classification_batches.router,
    console_classification.router,
    console_workflow_executions.router,
    console_workflows.router,
    console_reference.router,
    console_settings.router,
    console_secrets.router,
    console_audit.router,
    console_retention.router,
    console_providers.router,
    console_usage.router,
    console_webhooks.router,
    console_privacy.router,
    console_privacy.receipt,
    decision_links.router,
)


@dataclass(frozen=True)
class Parts:
    """What the application stands on."""

    database: Database
    temporal: Client
    objects: ObjectStore
    embedders: Embedders
    keyring: Keyring
    client_figures: ClientFigures


@asynccontextmanager
async def real_parts(settings: Settings) -> AsyncIterator[Parts]:
    """The configured parts; refuses to run where row level security would not hold, or with a wrong key."""
    database = Database(settings.database_url, settings.database_pool_size)
    try:
        await check_app_role(database)
        keyring = Keyring(await check_master_keys(database, settings))
        embedders = LocalEmbedders(
            settings.model_directory, settings.embedding_precision, settings.embedding_threads
        )
        await asyncio.to_thread(embedders.get, embedders.default.name)
        figures = ClientFigures()
        yield Parts(
            database=database,
            temporal=await connect(settings, lazy=True, runtime=figures.runtime),
            objects=ObstoreObjectStore.from_url(settings.objects_url),
            embedders=embedders,
            keyring=keyring,
            client_figures=figures,
        )
    finally:
        await database.aclose()


PartsMaker = Callable[[Settings], AbstractAsyncContextManager[Parts]]


def create_app(settings: Settings, parts: PartsMaker = real_parts) -> FastAPI:
    """Build the application; its parts are opened when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await install(app, settings, await stack.enter_async_context(parts(settings)), stack)
            yield
            app.state.stopping.set()

    app = FastAPI(
        title="Perdure",
        version=__version__,
        summary="Durable AI operations on Temporal.",
        lifespan=lifespan,
        docs_url=None,  # console_reference serves it without a content delivery network
        redoc_url=None,
        # Its own would export paths and messages of errors; see `api.tracing`.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        responses=problems.problem_responses(*problems.COMMON_STATUSES),
        dependencies=[Depends(dependencies.limit_open_routes)],
    )
    problems.install(app)
    for router in (*ROUTERS, *CONSOLE):
        app.include_router(router)
    app.state.mcp = McpEndpoint(app)
    app.router.routes.append(app.state.mcp.route())
    app.mount("/static", VersionedStaticFiles(directory=STATIC_FOLDER), name="static")
    if (tracer := tracing.tracer()) is not None:
        from api.tracing import TracingMiddleware  # noqa: PLC0415  # loads OpenTelemetry

        app.add_middleware(TracingMiddleware, tracer=tracer)
    app.add_middleware(RequestMiddleware, settings=settings, upload_paths=UPLOADS)
    return app


async def install(app: FastAPI, settings: Settings, parts: Parts, stack: AsyncExitStack) -> None:
    """Put everything that routes ask for into `app.state`, and start what runs in the background."""
    state = app.state
    authenticator = dependencies.install(
        app, settings, parts.database, rate_store=rate_store(settings, parts.database)
    )
    stack.push_async_callback(authenticator.aclose)
    stack.push_async_callback(state.rate_limits.aclose)
    state.stopping = asyncio.Event()
    state.temporal, state.objects = parts.temporal, parts.objects
    state.keyring = parts.keyring
    # For tests of keys, and for what somebody waits for; whatever else asks a model does it in a worker.
    rates = rate_store(settings, parts.database)
    stack.push_async_callback(rates.aclose)
    calls = ProviderCalls(parts.database.transaction, parts.keyring, environment_keys(settings), rates)
    adapters = LanguageModels(private_urls=settings.provider_private_urls, timeout=KEY_TEST_TIMEOUT)
    stack.push_async_callback(adapters.aclose)
    state.language_models = RoutedLanguageModels(calls, adapters)
    state.remote_embedders = RemoteEmbedders(private_urls=settings.provider_private_urls)
    stack.push_async_callback(state.remote_embedders.aclose)
    state.embedders = RoutedEmbedders(parts.embedders, calls, state.remote_embedders)
    state.label_sets = LabelSets(parts.embedders)
    state.content_links = ContentLinks(parts.objects, load_secret_key(settings), settings.public_url)
    state.search = SearchService(parts.database.quick, state.embedders, settings)
    state.recall = RecallService(parts.database.quick, state.embedders, settings)
    state.operations = Operations(parts.database, parts.temporal, settings, state.metrics)
    state.approvals = Approvals(parts.database, parts.temporal, state.operations, load_secret_key(settings))
    state.workflow_library = WorkflowLibrary(
        parts.database, WorkflowLinks(load_secret_key(settings), settings.public_url)
    )
    state.executions = Executions(parts.database, state.operations, parts.temporal)
    state.client_figures = parts.client_figures
    parts.database.observe(state.metrics.count_outcome)
    state.observations = Observations(
        parts.database, parts.temporal, settings, state.metrics, lambda: health.parts_up(state)
    )
    state.receipts = ErasureReceipts(parts.database, load_secret_key(settings), settings.public_url)
    state.audit_anchors = AuditAnchors.of(settings, parts.objects)
    anchorer = Anchorer(parts.database, state.audit_anchors, settings.audit_anchor_interval_s)
    background = [
        asyncio.create_task(anchorer.run()),
        asyncio.create_task(
            Reconciler(parts.database, parts.temporal, state.operations, settings, state.approvals).run()
        ),
        asyncio.create_task(Sweeper(parts.database, parts.objects, parts.temporal).run()),
    ]

    async def end() -> None:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await state.logins.aclose()
        await anchorer.finish()

    await stack.enter_async_context(parts.database.kept_small())
    await stack.enter_async_context(given_back())
    stack.push_async_callback(end)
    stack.push_async_callback(state.mcp.aclose)
