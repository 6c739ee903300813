"""`operator-demo report`."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from page_parts import Page
from story import RUN, story

from operator_demo.commands.audit import audit
from operator_demo.commands.report import report
from operator_demo.errors import OperatorError, UsageError
from operator_demo.home import store_path
from operator_demo.store import Store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPERATOR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    with Store(store_path()) as store:
        store.import_(e for e in story() if e.seq is not None)
    return tmp_path


@pytest.mark.parametrize("name", ["last", RUN, RUN[:7]])
def test_a_run_by_its_name(name: str, home: Path) -> None:
    done = CliRunner().invoke(report, [name], catch_exceptions=False)
    assert (done.exit_code, done.stderr) == (0, f"{RUN} was written to {RUN}.html.\n")
    page = Page((home / f"{RUN}.html").read_text(encoding="utf-8"))
    with Store(store_path(), read_only=True) as store:
        assert page.data["chain"]["head"] == store.chain(RUN).head.hex()
    assert RUN in page.title


def test_only_its_owner_may_read_it(home: Path) -> None:
    CliRunner().invoke(report, ["last", "-o", "a.html"], catch_exceptions=False)
    assert stat.S_IMODE(os.stat(home / "a.html").st_mode) == 0o600


def test_a_file_gives_the_same_page_as_the_store(home: Path) -> None:
    CliRunner().invoke(audit, ["export", RUN, "-o", "there.opdemo"], catch_exceptions=False)
    pages = [CliRunner().invoke(report, [name, "-o", "-"], catch_exceptions=False).stdout
             for name in (RUN, "there.opdemo")]
    assert pages[0] == pages[1] and pages[0].startswith("<!doctype html>")


def test_a_recording_that_the_program_brings() -> None:
    page = CliRunner().invoke(report, ["etcd/member-kill", "-o", "-"], catch_exceptions=False).stdout
    assert Page(page).data["run"]["scenario"] == "member-kill"


def test_nothing_is_made_of_a_file_that_was_altered(home: Path) -> None:
    import gzip

    CliRunner().invoke(audit, ["export", RUN, "-o", "there.opdemo"], catch_exceptions=False)
    content = gzip.decompress(Path("there.opdemo").read_bytes())
    Path("there.opdemo").write_bytes(gzip.compress(content.replace(b'"kept":2412', b'"kept":9999')))
    with pytest.raises(OperatorError, match="was altered"):
        CliRunner().invoke(report, ["there.opdemo", "-o", "-"], catch_exceptions=False)


def test_a_post_mortem_to_paste() -> None:
    text = CliRunner().invoke(report, ["last", "--md", "-o", "-"], catch_exceptions=False).stdout
    assert text.startswith("# Post-mortem: etcd\n\n**Repaired, and verified.**")
    for heading in ("Impact", "Cause", "Timeline", "Actions", "What the oracle saw", "Record"):
        assert f"\n## {heading}\n" in text
    assert "- **+0.9 s** monitor: ticket tkt-c4vn8wra opened (critical): etcd1 is down (exited, status 137)" in text
    assert "- etcd1 was exited for 14 s." in text
    assert f"    operator-demo audit verify {RUN} --head " in text


def test_what_does_not_exist_is_said() -> None:
    with pytest.raises(UsageError, match="no run whose id begins with"):
        CliRunner().invoke(report, ["run-zzz", "-o", "-"], catch_exceptions=False)
