import signal
import subprocess
import sys
from pathlib import Path

from perdure.scratch import PREFIX, remove_abandoned, scratch_directory

HOLDER = """
import signal, sys
from pathlib import Path
from perdure.scratch import scratch_directory
with scratch_directory(Path(sys.argv[1])) as folder:
    (folder / "work").write_text("half done")
    sys.stdout.write(f"{folder}\\n"); sys.stdout.flush()
    signal.pause()
"""


def holder(base: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(base)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_goes_with_its_process(tmp_path: Path) -> None:
    with scratch_directory(tmp_path) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_text("work")
        assert folder.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_deleted_by_the_next_one(tmp_path: Path) -> None:
    process, folder = holder(tmp_path)
    with process:
        process.send_signal(signal.SIGKILL)
    assert (folder / "work").exists()
    with scratch_directory(tmp_path):
        assert not folder.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_living_process_stays(tmp_path: Path) -> None:
    process, folder = holder(tmp_path)
    with process:
        try:
            assert remove_abandoned(tmp_path) == 0
            assert (folder / "work").read_text() == "half done"
        finally:
            process.kill()
    assert remove_abandoned(tmp_path) == 1


def test_nothing_is_followed_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    base = tmp_path / "base"
    base.mkdir()
    (base / f"{PREFIX}x").symlink_to(outside)
    (base / f"{PREFIX}x.lock").touch()
    (base / f"{PREFIX}y.lock").symlink_to(outside / "precious")
    remove_abandoned(base)
    assert (outside / "precious").exists()
