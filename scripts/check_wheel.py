"""Builds the wheel, installs it into a fresh virtual environment and checks what it brings.

The environment sees the locked packages, too: none of them may hold a name of ours, because installers merge two
packages of one name without a word.
"""

import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

CHECK = """
from importlib.metadata import packages_distributions
from pathlib import Path
import api, perdure
from perdure.db.migrate import newest_revision

owners = packages_distributions()
for name in ("perdure", "api", "workflows", "activities", "worker"):
    found = set(owners.get(name, ()))
    assert found == {"perdure"}, f"{name} belongs to {found}, not to perdure alone"
for folder in ("templates", "static"):
    assert any((Path(api.__file__).parent / folder).iterdir()), f"api/{folder} is not in the wheel"
assert Path(perdure.__file__).is_relative_to(PREFIX), f"{perdure.__file__} is not the installed one"
print(f"wheel holds its packages and migrations up to {newest_revision()}")
"""


def main() -> None:
    """Exit with an error when the wheel lacks something or collides with another package."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel = build(Path(scratch))
        environment = Path(scratch) / "venv"
        venv.create(environment, with_pip=False, symlinks=True)
        site = site_packages(environment)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)  # we built it a moment ago; a wheel of pure Python installs so
        (site / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
        check = CHECK.replace("PREFIX", repr(str(environment)))
        subprocess.run([environment / "bin" / "python", "-c", check], check=True, cwd=scratch)


def build(directory: Path) -> Path:
    """Build the wheel into a directory and return it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    (wheel,) = directory.glob("*.whl")
    return wheel


def site_packages(environment: Path) -> Path:
    """Where the packages of an environment lie."""
    (site,) = environment.glob("lib/python*/site-packages")
    return site


if __name__ == "__main__":
    main()
