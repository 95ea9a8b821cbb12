"""Looks every locked package up in a list of known vulnerabilities, and fails when one has any.

A source that is not reachable, or that is a mirror without advisories, answers "nothing known" all the same. So each is
first asked about an old release whose vulnerability everybody knows; one that does not know it is not asked further.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements/run.txt", "requirements/dev.txt")
SOURCES = ("pypi", "osv")
# Its sandbox can be left (CVE-2019-10906, published in 2019).
KNOWN_BAD = "jinja2==2.10"
TIMEOUT_S = 5
# Advisories that do not concern us, by id, each with its reason.
IGNORED: dict[str, str] = {}


def main() -> None:
    """Print what was found; exit code 1 for a vulnerability."""
    source = next((source for source in SOURCES if knows_something(source)), None)
    if source is None:
        print(f"NOT AUDITED: no source of advisories answers from here (asked: {', '.join(SOURCES)}).")
        return
    found = False
    for lock in LOCKS:
        packages = look_up(ROOT / lock, source, "--require-hashes")
        if packages is None:
            print(f"NOT AUDITED: {source} stopped answering at {lock}; try again.")
            return
        found |= report(lock, source, packages)
    sys.exit(1 if found else 0)


def knows_something(source: str) -> bool:
    """Whether a source knows that a bad release is bad."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write(KNOWN_BAD)
        listed.flush()
        packages = look_up(Path(listed.name), source, "--no-deps")
    return any(package.get("vulns") for package in packages or ())


def look_up(listed: Path, source: str, *options: str) -> list[dict[str, Any]] | None:
    """The packages of a file with what is known of them; None when the source does not answer."""
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "found.json"
        command = [
            *(sys.executable, "-m", "pip_audit", "--disable-pip", "--progress-spinner", "off", *options),
            *("--vulnerability-service", source, "--timeout", str(TIMEOUT_S), "--requirement", str(listed)),
            *("--format", "json", "--output", str(output)),
        ]
        subprocess.run(command, check=False, capture_output=True)
        if not output.exists() or not output.stat().st_size:
            return None
        packages: list[dict[str, Any]] = json.loads(output.read_text())["dependencies"]
        return packages


def report(lock: str, source: str, packages: list[dict[str, Any]]) -> bool:
    """Print one line for each vulnerability that counts; whether there was any."""
    found = False
    for package in packages:
        for vulnerability in package.get("vulns", ()):
            names = {vulnerability["id"], *vulnerability.get("aliases", ())}
            if reason := next((IGNORED[name] for name in names if name in IGNORED), None):
                print(
                    f"{package['name']} {package['version']}: {vulnerability['id']} does not count: {reason}"
                )
                continue
            found = True
            mended = ", ".join(vulnerability.get("fix_versions", ())) or "no release yet"
            print(f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {mended}")
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        print(f"{lock}: {source} does not know {', '.join(unknown)}")
    print(f"{lock}: {len(packages) - len(unknown)} of {len(packages)} packages looked up at {source}")
    return found


if __name__ == "__main__":
    main()
