import io
import zipfile
from collections import Counter
from pathlib import Path

import psutil

from perdure.embedded.processes import alive
from tests.accounts import Account
from tests.faults.checks import assert_exactly_once, items_of, settled
from tests.faults.files import Expected, text_of, word_of
from tests.faults.installation import Installation, eventually

REASONS = {
    "hang": "timeout",
    "hang-with-grandchild {folder}/grandchild": "timeout",
    "eat 2048": "memory_limit",
    "eat-at-once 2048": "memory_limit",
    "segfault": "parser_crashed",
    "abort": "parser_crashed",
    "exit 3": "parser_crashed",
    "rubbish": "parser_crashed",
    "raise by the parser": "parser_crashed",
}
GOOD = 20


async def test_files_that_hang_crash_or_eat_memory_fail_one_by_one_and_the_worker_lives(
    installation: Installation, account: Account, tmp_path: Path
) -> None:
    bad = {f"bad-{number}.txt": wish.format(folder=tmp_path) for number, wish in enumerate(REASONS)}
    expected = {name: Expected("quarantined") for name in bad}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for number in range(GOOD):
            packed.writestr(f"good-{number}.txt", text_of(number, sentences=1))
            expected[f"good-{number}.txt"] = Expected("indexed", word_of(number))
            for name, wish in list(bad.items())[number : number + 1]:
                packed.writestr(name, f"please {wish}")
    worker = installation.pid_of("worker cpu")
    operation = await account.post("/documents/batch", files={"file": ("mixed.zip", buffer.getvalue())})
    operation = await settled(account, operation["id"])
    assert installation.pid_of("worker cpu") == worker
    assert psutil.Process(worker).memory_info().rss < 1024**3
    await assert_exactly_once(installation, account, operation, expected)
    reasons = {item["name"]: item["reason"] for item in await items_of(account, operation["id"])}
    assert {bad[name]: reasons[name] for name in bad} == {
        wish.format(folder=tmp_path): reason for wish, reason in REASONS.items()
    }
    grandchild = int((tmp_path / "grandchild").read_text())
    await eventually(lambda: alive(grandchild) is None)
    assert Counter(reasons[f"good-{number}.txt"] for number in range(GOOD)) == {None: GOOD}
