"""Where reports are kept, and who may read them."""

from __future__ import annotations

from pathlib import Path

from neonblue.results.store import ReportStore
from neonblue.settings import Settings
from neonblue.settings.orchestration import ReportsSettings
from neonblue.stack.folders import private_files


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_reports_in_a_folder_of_the_users_choice_are_open_to_whom_the_folder_is(tmp_path: Path) -> None:
    chosen = tmp_path / "www"
    chosen.mkdir()
    chosen.chmod(0o755)
    store = ReportStore.of(Settings(data_dir=tmp_path, reports=ReportsSettings(location=str(chosen))))

    with private_files():
        store.put("checkout/a/report.html", b"<html>")

    assert store.get("checkout/a/report.html") == b"<html>"
    assert (_mode(chosen / "checkout"), _mode(chosen / "checkout" / "a")) == (0o755, 0o755)
    assert _mode(chosen / "checkout" / "a" / "report.html") == 0o644


def test_reports_in_the_data_folder_are_its_owners_alone(tmp_path: Path) -> None:
    with private_files():
        ReportStore.of(Settings(data_dir=tmp_path)).put("checkout/report.html", b"<html>")

    assert _mode(tmp_path / "reports" / "checkout") == 0o700
    assert _mode(tmp_path / "reports" / "checkout" / "report.html") == 0o600
