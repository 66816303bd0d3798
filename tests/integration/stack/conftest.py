"""Stacks of a few services, on free ports, each in a folder of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from neonblue.settings import Settings
from neonblue.stack import env_file
from neonblue.stack.catalogue import with_free_ports

SUPERVISOR = Path(__file__).with_name("supervise.py")
LIGHT = ("postgres", "valkey")


def new_folder() -> Path:
    # Not pytest's own folder: only its owner may enter that, which a test of its own covers.
    folder = Path(tempfile.mkdtemp(prefix="neonblue stack %41 #é'"))
    folder.chmod(0o755)
    return folder


def settings_in(folder: Path) -> Settings:
    """Settings with free ports and secrets, stored where commands and other processes find them."""
    settings = env_file.with_secrets(with_free_ports(Settings.load(folder)))
    folder.mkdir(parents=True, exist_ok=True)
    env_file.write(settings)
    return settings


@pytest.fixture
def settings() -> Iterator[Settings]:
    folder = new_folder()
    try:
        yield settings_in(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def module_settings() -> Iterator[Settings]:
    folder = new_folder()
    try:
        yield settings_in(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def supervise(settings: Settings, *services: str) -> subprocess.Popen[str]:
    """A supervisor in a process of its own, once it has everything ready."""
    command = [sys.executable, str(SUPERVISOR), str(settings.data_dir), *services]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    if process.stdout.readline() != "ready\n":
        process.kill()
        process.wait()
        pytest.fail("the supervisor did not get its services ready")
    return process
