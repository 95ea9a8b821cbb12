"""The command line; see `perdure --help`."""

import typer

from perdure.cli import (
    admin,
    approvals,
    audit,
    backup,
    chaos,
    classification,
    documents,
    evolution,
    keys,
    mcp,
    memories,
    operations,
    privacy,
    providers,
    quotas,
    secrets,
    up,
    usage,
    workflows,
)

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Documents go in, answers with citations come out, and nothing accepted is lost.",
)
app.command()(up.up)
app.command()(admin.doctor)
app.command()(admin.migrate)
app.command()(backup.restore)
app.command()(chaos.chaos)
app.command()(audit.verify_audit)
app.command()(documents.ingest)
app.command()(documents.search)
app.command()(memories.remember)
app.command()(memories.recall)
app.command()(memories.forget)
app.command()(evolution.evolve)
app.command()(classification.classify)
app.command()(approvals.approve)
app.command()(mcp.mcp)
app.command()(privacy.export_data)
app.command()(privacy.delete_data)
app.command()(keys.rotate_keys)
app.command()(quotas.quota)
app.command()(usage.usage)
app.add_typer(memories.app, name="memory")
app.add_typer(backup.app, name="backup")
app.add_typer(operations.app, name="ops")
app.add_typer(approvals.app, name="approvals")
app.add_typer(workflows.app, name="workflows")
app.add_typer(providers.app, name="providers")
app.add_typer(secrets.app, name="secrets")
app.add_typer(keys.master_key, name="master-key")
