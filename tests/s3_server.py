"""A real S3 server of a test alone."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from perdure.embedded import loopback, ports

ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "perdure-test", "not-a-secret", "eu-central-1", "perdure"
_BUILT = Path(__file__).parents[1] / ".tools" / "bin" / "versitygw"


def binary() -> str | None:
    """The server's command: on PATH, or as `scripts/production_parts.sh` builds it."""
    return shutil.which("versitygw") or (str(_BUILT) if _BUILT.exists() else None)


@dataclass(frozen=True)
class S3Server:
    """How to run one that keeps its bucket in a folder, and how to reach it."""

    binary: str
    directory: Path
    port: int

    @classmethod
    def prepared(cls, binary: str, directory: Path, port: int) -> "S3Server":
        """With the folder of the bucket made."""
        (directory / BUCKET).mkdir(parents=True)
        return cls(binary, directory, port)

    @property
    def command(self) -> tuple[str, ...]:
        listen = ("--port", f"{ports.LOOPBACK}:{self.port}", "--health", "/health", "--quiet")
        keys = ("--access", ACCESS_KEY, "--secret", SECRET_KEY, "--region", REGION)
        return (self.binary, *listen, *keys, "posix", str(self.directory))

    @property
    def environment(self) -> Mapping[str, str]:
        """The usual variables of a client, and nothing else: no address says more than the bucket."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
        }

    @property
    def endpoint(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.port}"

    async def answers(self) -> bool:
        return await loopback.answers(f"{self.endpoint}/health")

    def unfinished(self) -> list[Path]:
        """What multipart uploads left that were neither completed nor aborted."""
        folder = self.directory / BUCKET / ".sgwtmp" / "multipart"
        return sorted(path for path in folder.rglob("*") if path.is_file())
