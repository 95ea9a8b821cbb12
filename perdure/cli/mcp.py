"""`perdure mcp`: the tools of the MCP server over standard input and output."""

from perdure.api_client import ApiClient
from perdure.cli.output import client, run
from perdure.settings import ClientSettings


def mcp() -> None:
    """Serve remember, recall, search and forget to an agent's client, over standard input and output (MCP).

    PERDURE_URL and PERDURE_API_KEY say where the API is and who asks.
    """
    from perdure.mcp_tools import serve_stdio  # noqa: PLC0415  # for every other command a second of loading

    client()  # without a key it says so at once
    settings = ClientSettings.load()
    # Whoever calls the tool hears of a limit at once, and decides.
    run(serve_stdio(lambda: ApiClient(settings.url, settings.api_key, attempts=1)))
