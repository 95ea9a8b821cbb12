"""What `make run` does once the stack is ready: a demo organisation, the samples, and one question."""

import asyncio
import re
import secrets
from pathlib import Path

from rich.panel import Panel
from rich.text import Text

from perdure.api_client import ApiClient, ApiProblemError
from perdure.cli.documents import progress_bar
from perdure.cli.output import console, outcome_table, passage
from perdure.domain.roles import Scope
from perdure.embedded.stack_files import write_private
from perdure.ingestion import Outcome, collect, ingest_files

QUESTION = "How long is the notice period in the lease?"
_EMAIL = "demo@perdure.example"
_NAME = "Demo"
_ORGANISATION = "Kestrel Harbour Instruments"
_KEY_NAME = "demo"
# All that the demo's owner may do: whatever the documentation shows works with this key.
_SCOPES = frozenset(scope.value for scope in Scope)
_LINE = re.compile(r"^(?P<name>[A-Z_]+)=(?P<value>.*)$", re.MULTILINE)
_UNAUTHENTICATED, _CONFLICT = 401, 409


class Demo:
    """The demo organisation. Its login and key are made once and kept in `<home>/demo.env`."""

    def __init__(self, home: Path, url: str) -> None:
        self.file = home / "demo.env"
        self.url = url
        kept = self._read()
        self.email = kept.get("PERDURE_DEMO_EMAIL", _EMAIL)
        self.password = kept.get("PERDURE_DEMO_PASSWORD") or secrets.token_urlsafe(15)
        self._key = kept.get("PERDURE_API_KEY", "")

    def _read(self) -> dict[str, str]:
        try:
            return {match["name"]: match["value"] for match in _LINE.finditer(self.file.read_text())}
        except FileNotFoundError:
            return {}

    def _write(self) -> None:
        values = {
            "PERDURE_URL": self.url,
            "PERDURE_API_KEY": self._key,
            "PERDURE_DEMO_EMAIL": self.email,
            "PERDURE_DEMO_PASSWORD": self.password,
        }
        write_private(self.file, "".join(f"{name}={value}\n" for name, value in values.items()))

    async def run(self, samples: Path) -> bool:
        """Make sure of the organisation, ingest the samples, ask; False when a sample was refused."""
        await self.ensure_key()
        files = [file for file in await asyncio.to_thread(collect, [samples]) if file.name != "README.md"]
        if not files:
            console.print(f"There are no samples in {samples}.", style="yellow")
            return True
        async with ApiClient(self.url, self._key) as api:
            with progress_bar() as progress:
                task = progress.add_task("Ingesting the samples", total=len(files))
                outcomes = await ingest_files(
                    api, files, reuse=True, on_done=lambda _: progress.advance(task)
                )
            console.print(outcome_table(outcomes, title="What happened to the samples"))
            console.print(_summary(outcomes), style="dim")
            answer = await api.search(QUESTION, limit=1)
        found = passage(answer["items"][0]) if answer["items"] else Text("Nothing was found.")
        console.print(Panel(found, title=QUESTION, subtitle=f"{answer['took_ms']} ms", title_align="left"))
        return bool(answer["items"]) and not any(outcome.status == "refused" for outcome in outcomes)

    async def ensure_key(self) -> None:
        """Find the key working, or log in, or register; then write it down. One with too few scopes is replaced."""
        # First, so that a run that is cut off here can log in with the password it chose.
        self._write()
        if self._key and await self._works(self._key):
            return
        token = await self._log_in()
        async with ApiClient(self.url, token) as api:
            made = await api.call("POST", "/api-keys", json={"name": _KEY_NAME, "scopes": sorted(_SCOPES)})
        self._key = str(made["key"])
        self._write()

    async def _works(self, key: str) -> bool:
        async with ApiClient(self.url, key) as api:
            try:
                caller = await api.call("GET", "/auth/me")
            except ApiProblemError as problem:
                if problem.code == _UNAUTHENTICATED:
                    return False
                raise
        return set(caller["scopes"]) >= _SCOPES

    async def _log_in(self) -> str:
        login = {"email": self.email, "password": self.password}
        registration = login | {"name": _NAME, "organisation": _ORGANISATION}
        async with ApiClient(self.url, "") as api:
            try:
                granted = await api.call("POST", "/auth/register", json=registration)
            except ApiProblemError as problem:
                if problem.code != _CONFLICT:
                    raise
                granted = await api.call("POST", "/auth/login", json=login)
        return str(granted["access_token"])


def _summary(outcomes: list[Outcome]) -> str:
    unchanged = sum(outcome.earlier for outcome in outcomes)
    text = f"{len(outcomes)} files; those under broken/ are there to show how failures look"
    return f"{text}; {unchanged} were there already" if unchanged else text
