"""The worker process: builds the real dependencies and serves task queues. `python worker.py --queues io,cpu`."""

import argparse
import asyncio
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.runtime import Runtime
from temporalio.service import RPCError
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.approvals import ApprovalActivities
from activities.batches import BatchActivities
from activities.classification import ClassificationActivities, ClassificationTextActivities
from activities.document_steps import DocumentStepActivities, DocumentTextStepActivities
from activities.encryption import EncryptionActivities
from activities.erasure import ErasureActivities
from activities.evolution import EvolutionActivities
from activities.execution_batches import ExecutionBatchActivities
from activities.exports import ExportActivities
from activities.fact_extraction import FactActivities
from activities.indexing import IndexActivities
from activities.language_models import RoutedLanguageModels
from activities.letters import LetterWriter
from activities.memories import MemoryActivities, MemoryTextActivities
from activities.memory_imports import MemoryImportActivities
from activities.messages import MessageActivities
from activities.monitoring import MonitoringActivities
from activities.operations import OperationActivities
from activities.reembedding import ReembeddingActivities
from activities.retention import RetentionActivities
from activities.sources import SourceActivities
from activities.step_analysis import StepAnalysis
from activities.step_classification import StepClassification
from activities.step_memories import StepMemories
from activities.steps import StepRecorder
from activities.text_stages import TextStages
from activities.texts import TextActivities
from activities.workflow_executions import WorkflowExecutionActivities
from perdure import log, tracing
from perdure.audit_anchors import AuditAnchors
from perdure.db.candidates import REMEMBERED
from perdure.db.guard import check_app_role
from perdure.db.keyring import Keyring
from perdure.db.label_sets import LabelSets
from perdure.db.master_key_check import check_master_keys
from perdure.db.search_service import SearchService
from perdure.db.session import Database
from perdure.db.vector_index import VectorIndex
from perdure.domain.decision_tokens import DecisionTokens
from perdure.domain.signatures import receipt_signer
from perdure.environment_keys import environment_keys
from perdure.errors import PerdureError, UnavailableError
from perdure.free_memory import given_back
from perdure.master_keys import load_master_keys
from perdure.provider_calls import ProviderCalls
from perdure.providers.described_sentiment import DescribedSentiment
from perdure.providers.embedders import LocalEmbedders
from perdure.providers.entity_patterns import EntityPatterns
from perdure.providers.http_fetcher import HttpFetcher
from perdure.providers.language_models import LanguageModels
from perdure.providers.minilm_embedder import MiniLMTokenizer
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.providers.parser_pool import ParserPool
from perdure.providers.public_http_caller import PublicHttpCaller
from perdure.providers.remote_embedders import RemoteEmbedders
from perdure.providers.smtp_sender import SmtpSender
from perdure.providers.webhook_poster import WebhookPoster
from perdure.rate_stores import rate_store
from perdure.routed_embedders import RoutedEmbedders
from perdure.scratch import scratch_directory
from perdure.secret_key import load_secret_key
from perdure.settings import Settings
from workflows import policies, queues
from workflows.client import connect
from workflows.progress import ProgressReporter
from workflows.raw_signals import RawSignalRunner, reading_signals_raw
from workflows.registry import WORKFLOWS
from workflows.schedules import ensure_schedules
from workflows.sdk_metrics import metered_runtime, outcome_counters

logger = structlog.get_logger()

DRAIN = timedelta(seconds=20)

Activities = Sequence[Callable[..., Any]]


def sandbox() -> SandboxedWorkflowRunner:
    """Workflow modules are isolated; what they only import is passed through, which is four times faster."""
    return RawSignalRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(
            "activities",
            "workflows.operation",
            "workflows.policies",
            "workflows.queues",
            "perdure",
            "pydantic",
            "pydantic_core",
            "sqlalchemy",
            "numpy",
            "structlog",
            "cryptography",
            "opentelemetry",
        )
    )


class Dependencies:
    """The real parts, built once for a process and closed with it."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self.settings, self._stack = settings, stack
        self.database = Database(settings.database_url, settings.database_pool_size)
        stack.push_async_callback(self.database.aclose)
        self.objects = ObstoreObjectStore.from_url(settings.objects_url)
        self.keyring = Keyring(load_master_keys(settings))
        rates = rate_store(settings, self.database)
        stack.push_async_callback(rates.aclose)
        calls = ProviderCalls(self.database.transaction, self.keyring, environment_keys(settings), rates)
        language_models = LanguageModels(private_urls=settings.provider_private_urls)
        stack.push_async_callback(language_models.aclose)
        self.models = RoutedLanguageModels(calls, language_models)
        remote_embedders = RemoteEmbedders(private_urls=settings.provider_private_urls)
        stack.push_async_callback(remote_embedders.aclose)
        self.local_embedders = LocalEmbedders(
            settings.model_directory, settings.embedding_precision, settings.embedding_threads
        )
        self.embedders = RoutedEmbedders(self.local_embedders, calls, remote_embedders)
        self.sources = SourceActivities(self.database.transaction, self.objects, HttpFetcher(settings))
        self.index = IndexActivities(
            self.database.transaction,
            self.objects,
            self.embedders,
            VectorIndex(self.database.transaction, settings.exact_search_below),
        )
        self.memory_index = VectorIndex(self.database.transaction, settings.exact_search_below, REMEMBERED)
        self.reembedding = ReembeddingActivities(self.database.transaction, self.embedders)

    def io(self) -> Activities:
        """Activities of the queue `io`."""
        operations = OperationActivities(self.database.transaction)
        batches = self._batches(None)
        memories = MemoryActivities(self.database.transaction, self.memory_index)
        facts = FactActivities(self.database.transaction, self.embedders, self.models, self.memory_index)
        encryption = EncryptionActivities(self.database.transaction, self.keyring)
        caller = PublicHttpCaller(self.settings.fetch_allow_hosts)
        self._stack.push_async_callback(caller.aclose)
        steps = DocumentStepActivities(
            self.database.transaction,
            self.models,
            caller,
            StepMemories(self.database.transaction, self.embedders.default),
            self.keyring,
        )
        execution_batches = ExecutionBatchActivities(self.database.transaction)
        exports = ExportActivities(self.database.transaction, self.objects, self.keyring)
        classification = ClassificationActivities(self.database.transaction, self.models)
        anchors = AuditAnchors.of(self.settings, self.objects)
        retention = RetentionActivities(self.database.transaction, self.objects, anchors)
        messages = self._messages()
        monitoring = MonitoringActivities(self.database.transaction)
        secret = load_secret_key(self.settings)
        signer = receipt_signer(secret)
        approvals = ApprovalActivities(self.database.transaction, secret)
        executions = WorkflowExecutionActivities(self.database.transaction)
        erasure = ErasureActivities(self.database.transaction, self.objects, signer)
        return [
            operations.record_status,
            self.sources.fetch_document,
            self.sources.detect_document,
            self.index.index_document,
            self.index.settle_documents,
            self.index.delete_document,
            batches.expand_batch,
            batches.index_page,
            batches.summarise_batch,
            self.reembedding.switch_model,
            encryption.make_data_key,
            encryption.rewrap_data_keys,
            encryption.reencrypt_page,
            encryption.retire_data_keys,
            erasure.begin_erasure,
            erasure.end_work,
            erasure.take_inventory,
            erasure.erase_histories,
            erasure.erase_objects,
            erasure.erase_rows,
            erasure.look_again,
            erasure.conclude_erasure,
            memories.hand_over,
            memories.write_memories,
            memories.forget_memories,
            facts.extract_facts,
            approvals.open_approval,
            approvals.read_signals,
            approvals.record_transition,
            classification.ask_model,
            classification.decide_batch,
            classification.conclude_text,
            classification.summarise_classification,
            classification.settle_classification,
            execution_batches.open_executions,
            execution_batches.end_executions,
            execution_batches.summarise_executions,
            steps.ask_model_step,
            steps.http_step,
            steps.remember_step,
            steps.notify_step,
            executions.record_steps,
            executions.open_sub_workflow,
            exports.plan_export,
            exports.export_rows,
            exports.assemble_archive,
            exports.conclude_export,
            exports.discard_export,
            retention.sweep_log_ins,
            retention.sweep_organisations,
            messages.deliver_message,
            monitoring.monitor_providers,
            monitoring.clean_up_expired,
        ]

    def cpu(self) -> Activities:
        """Activities of the queue `cpu`."""
        parser = ParserPool(self.settings)
        self._stack.push_async_callback(parser.aclose)
        tokenizer = MiniLMTokenizer(self.settings.model_directory)
        texts = TextActivities(
            self.database.transaction,
            self.objects,
            parser,
            tokenizer,
            self.embedders,
            self.settings.max_chunk_tokens,
        )
        memories = MemoryTextActivities(
            self.database.transaction,
            self.embedders,
            tokenizer,
            self.settings.max_chunk_tokens,
            self.models,
        )
        imports = MemoryImportActivities(
            self.database.transaction,
            self.objects,
            self.embedders,
            tokenizer,
            self.settings.max_chunk_tokens,
            self.memory_index,
        )
        evolution = EvolutionActivities(self.database.transaction, self.embedders, self.models)
        self.local_embedders.get(self.embedders.default.name)  # the first document need not wait for it
        extractor = EntityPatterns()
        judge = DescribedSentiment(self.local_embedders.get(self.embedders.default.name))
        stages = TextStages(LabelSets(self.embedders), extractor, judge)
        classification = ClassificationTextActivities(self.database.transaction, stages)
        search = SearchService(self.database.quick, self.embedders, self.settings)
        steps = DocumentTextStepActivities(
            StepClassification(self.database.transaction, stages),
            StepAnalysis(self.database.transaction, extractor, judge, search, self.models),
        )
        return [
            texts.parse_document,
            texts.chunk_document,
            texts.embed_document,
            self._batches(texts).prepare_page,
            self.reembedding.embed_missing,
            memories.prepare_memories,
            imports.import_page,
            imports.discard_import,
            evolution.begin_evolution,
            evolution.update_memories,
            evolution.extend_relations,
            evolution.derive_insights,
            evolution.decay_memories,
            evolution.conclude_evolution,
            evolution.find_proposals,
            evolution.decide_proposal,
            evolution.expire_proposals,
            evolution.accept_evolution,
            classification.classify_page,
            classification.classify_text,
            steps.classify_step,
            steps.analyse_step,
        ]

    def _messages(self) -> MessageActivities:
        settings = self.settings
        poster = WebhookPoster(settings.webhook_allow_hosts)
        self._stack.push_async_callback(poster.aclose)
        public_url = settings.public_url or f"http://{settings.api_host}:{settings.api_port}"
        return MessageActivities(
            self.database.transaction,
            self.keyring,
            SmtpSender(settings.smtp_url, settings.mail_from, settings.smtp_ca_file),
            poster,
            LetterWriter(DecisionTokens(load_secret_key(settings)), public_url),
        )

    def _batches(self, texts: TextActivities | None) -> BatchActivities:
        return BatchActivities(
            self.database.transaction,
            self.objects,
            self.sources,
            texts,
            self.index,
            self.embedders.default,
        )


def build_workers(client: Client, dependencies: Dependencies, names: Sequence[str]) -> list[Worker]:
    """One Temporal worker per queue; workflows run on `io`."""
    settings = dependencies.settings
    deployment = None
    if settings.build_id:
        deployment = WorkerDeploymentConfig(
            version=WorkerDeploymentVersion("perdure", settings.build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        )
    return [
        Worker(
            reading_signals_raw(client),
            task_queue=name,
            workflows=WORKFLOWS if name == queues.IO else [],
            activities=dependencies.io() if name == queues.IO else dependencies.cpu(),
            workflow_runner=sandbox(),
            interceptors=[StepRecorder(dependencies.database.transaction), ProgressReporter()],
            workflow_failure_exception_types=[PerdureError],
            graceful_shutdown_timeout=DRAIN,
            max_concurrent_activities=50 if name == queues.IO else 2 * (os.cpu_count() or 1) + 2,
            max_concurrent_workflow_tasks=20,
            sticky_queue_schedule_to_start_timeout=policies.STICKY_TIMEOUT,
            deployment_config=deployment,
        )
        for name in names
    ]


def _metered(settings: Settings, database: Database) -> Runtime | None:
    """The runtime that serves metrics where the settings ask for it; a port that is taken is no reason to idle."""
    if not settings.worker_metrics_address:
        return None
    try:
        runtime = metered_runtime(settings.worker_metrics_address)
    except UnavailableError as error:
        logger.warning("metrics_not_served", detail=str(error))
        return None
    database.observe(outcome_counters(runtime.metric_meter))
    return runtime


async def _schedule(client: Client, settings: Settings) -> None:
    """Have housekeeping done; a Temporal that does not let us is no reason to idle."""
    try:
        await ensure_schedules(
            client,
            timedelta(hours=settings.retention_every_h),
            timedelta(minutes=settings.monitor_every_min),
        )
    except RPCError as error:
        logger.warning("not_scheduled", detail=str(error))


async def serve(settings: Settings, names: Sequence[str]) -> None:
    """Serve the queues until SIGTERM or SIGINT, then drain."""
    async with AsyncExitStack() as stack:
        tempfile.tempdir = str(stack.enter_context(scratch_directory()))
        dependencies = Dependencies(settings, stack)
        await stack.enter_async_context(dependencies.database.kept_small())
        await stack.enter_async_context(given_back())
        await check_app_role(dependencies.database)
        await check_master_keys(dependencies.database, settings)
        client = await connect(settings, runtime=_metered(settings, dependencies.database))
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        if queues.IO in names:
            await _schedule(client, settings)
        workers = build_workers(client, dependencies, names)
        async with AsyncExitStack() as running:
            for worker in workers:
                await running.enter_async_context(worker)
            logger.info("worker_ready", queues=list(names))
            await stopping.wait()
            logger.info("worker_draining", queues=list(names))
    logger.info("worker_drained", queues=list(names))


def main() -> None:
    """Read the arguments and the settings, and serve."""
    parser = argparse.ArgumentParser(description="Serve Temporal task queues of Perdure.")
    parser.add_argument("--queues", default=",".join(queues.ALL), help="comma-separated: io, cpu")
    names = [name.strip() for name in parser.parse_args().queues.split(",") if name.strip()]
    unknown = sorted(set(names) - set(queues.ALL))
    if unknown or not names:
        parser.error(f"unknown queues {unknown}; known are {', '.join(queues.ALL)}")
    settings = Settings.load()
    log.configure(settings)
    try:
        tracing.start(settings, "perdure-worker")
        # What was imported stays: the collector would walk through it again and again, a tenth of a second each
        # time, in which no thread of the embedder gets on.
        gc.freeze()
        asyncio.run(serve(settings, names))
    except PerdureError as error:
        # No traceback: the reason is the settings, and the detail says what to do.
        logger.error("worker_refused_to_start", problem=error.slug, detail=str(error))  # noqa: TRY400
        sys.exit(1)
    tracing.stop()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # drained: the engine's threads sometimes abort when the interpreter takes itself apart


if __name__ == "__main__":
    main()
