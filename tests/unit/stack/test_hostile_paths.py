"""Every configuration that the stack writes, for folders and secrets of any characters, read by its format's rules."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from dotenv import dotenv_values

from neonblue.clickhouse_server import config
from neonblue.clickhouse_server.settings import KafkaSettings, ServerSettings
from neonblue.settings import ENVIRONMENT_FILE, Settings
from neonblue.stack import env_file, folders
from neonblue.stack.errors import RequirementError
from neonblue.stack.jvm import jars, java
from neonblue.stack.services import dagster, templates, valkey
from neonblue.stack.services.connect import Connect
from neonblue.stack.services.kafka import Kafka
from neonblue.stack.services.postgres import configuration

STRANGE = [
    "a b", " a", "it's", 'say "so"', "100 %", "%41", "#1", "a&b=c", "$HOME", "${HOME}", "a,b", "a:b", "a;b", "<a>",
    "[a]*", "é 中 🙂", "~", "-x", "!a", "a" * 200,
]  # fmt: skip


@pytest.fixture(params=STRANGE)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(name: str, tmp_path: Path) -> Settings:
    """A stack whose folders and secrets have this name."""
    made = Settings(
        data_dir=tmp_path / name / "data",
        cache_dir=tmp_path / name / "cache",
        valkey={"password": name},
        postgres={"password": name, "user": name, "database": name},
    )
    return made.model_copy(update={"kafka": made.kafka.model_copy(update={"bootstrap_servers": name})})


def properties(text: str) -> dict[str, str]:
    """A file of Java properties, by the rules of java.util.Properties.load. What it reads as Latin-1 is plain ASCII."""
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith(("#", "!")):
            assert line.isascii()
            name, value = re.fullmatch(r"((?:[^=:\s\\]|\\.)+)\s*[=:]?\s*(.*)", line).groups()  # type: ignore[union-attr]
            units = re.sub(
                r"\\(u[0-9a-f]{4}|.)", lambda m: chr(int(m[1][1:], 16)) if m[1][1:] else m[1], value
            )
            found[name] = units.encode("utf-16", "surrogatepass").decode("utf-16")
    return found


def test_kafkas_configurations_name_no_path_and_read_back(settings: Settings, name: str) -> None:
    broker = properties(templates.broker(settings, "log", name))
    worker = properties(templates.worker(settings, java.JARS / "plugins" / name))

    assert broker["log.dirs"] == "log"
    assert worker["bootstrap.servers"] == name
    assert worker["plugin.path"] == f"jars/plugins/{name}"


def test_javas_command_lines_name_nothing_above_their_working_folder(
    settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        jars, "ensure", lambda *_: jars.Jars((Path("org/a.jar"), Path("org/b.jar")), Path("plugins/p"))
    )
    for service in (Kafka(settings), Connect(settings)):
        command = service.command()
        program, *arguments = command.arguments
        assert program == str(java.executable())
        assert [argument for argument in arguments if str(settings.data_dir) in argument] == []
        assert arguments[arguments.index("-cp") + 1] == "jars/org/a.jar:jars/org/b.jar"
        assert command.environment["LC_ALL"] == "C.UTF-8"


def test_a_working_folder_leads_to_the_cache_also_after_that_has_moved(settings: Settings) -> None:
    folder = settings.data_dir
    folder.mkdir(parents=True)
    for cache in (settings.cache_dir, settings.cache_dir.with_name("other")):
        (cache / "org").mkdir(parents=True)
        (cache / "org" / "a.jar").write_text(cache.name)

        java.prepare(folder, cache)

        assert (folder / java.JARS / "org" / "a.jar").read_text() == cache.name
    assert properties((folder / "log4j2.properties").read_text())["rootLogger.level"] == "info"


def test_valkeys_password_is_one_word(settings: Settings, name: str) -> None:
    lines = dict(line.split(" ", 1) for line in valkey.configuration(settings).splitlines())
    word = re.fullmatch(r'"((?:[^"\\]|\\x[0-9a-f]{2})*)"', lines["requirepass"])

    assert word is not None
    assert word[1].isascii()
    read = re.sub(rb"\\x(..)", lambda m: bytes.fromhex(m[1].decode()), word[1].encode())
    assert read.decode() == name
    assert lines["dir"] == "."
    assert str(settings.data_dir) not in valkey.configuration(settings)


def test_clickhouses_files_are_xml_that_names_the_folders(settings: Settings, name: str) -> None:
    folder = settings.data_dir / "clickhouse"
    kafka = KafkaSettings(name, name, name)

    written = config.write(ServerSettings(folder, 1, "127.0.0.1", (), kafka))

    root = ElementTree.parse(written).getroot()
    assert root.findtext("users_config") == str(folder / "server" / "users.xml")
    assert root.findtext("tmp_path") == f"{folder / 'server' / 'tmp'}/"
    assert root.findtext("macros/kafka_group") == name


def test_dagsters_files_name_no_path_but_the_sockets_which_grpc_can_read(settings: Settings) -> None:
    service = dagster.DagsterCode(settings)
    service.prepare()

    home = Path(service.command().environment["DAGSTER_HOME"])
    (location,) = yaml.safe_load((home / "workspace.yaml").read_text())["load_from"]
    socket = Path(location["grpc_server"]["socket"])
    assert str(socket) in service.command().arguments
    assert len(os.fsencode(socket)) <= 107
    assert not set(str(socket)) & set("%#?")
    assert yaml.safe_load((home / "dagster.yaml").read_text())["telemetry"] == {"enabled": False}
    assert home == settings.data_dir / "dagster"
    shutil.rmtree(socket.parent)


def test_postgresqls_configuration_names_no_path(settings: Settings) -> None:
    for line in configuration(settings).splitlines():
        assert shlex.split(line)[1] == "="
    assert str(settings.data_dir) not in configuration(settings)


def test_the_connectors_configuration_is_json_with_the_values_as_they_are(name: str) -> None:
    made = templates.connector(
        Settings().model_copy(
            update={"connect": Settings().connect.model_copy(update={"slot": name, "publication": name})}
        )
    )

    assert (made["slot.name"], made["publication.name"]) == (name, name)
    assert json.loads(json.dumps(made)) == made


def test_the_environment_file_reads_back(settings: Settings, name: str) -> None:
    if "${" in name:
        pytest.skip("such a value is refused, which has a test of its own")
    settings.data_dir.mkdir(parents=True)

    env_file.write(env_file.with_secrets(settings))

    read = dotenv_values(settings.data_dir / ENVIRONMENT_FILE)
    assert read["NEONBLUE_VALKEY_PASSWORD"] == name
    assert read["NEONBLUE_POSTGRES_USER"] == name


def test_a_folder_of_any_such_name_is_taken(settings: Settings) -> None:
    folders.require(settings.data_dir)

    assert (settings.data_dir / "logs").is_dir()


@pytest.mark.parametrize("name", ["a?b", "a\\b", "a\nb", "a\x07", "x/" * 400])
def test_a_folder_that_the_services_can_not_open_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RequirementError, match=r"data folder.* --data-dir or NEONBLUE_DATA_DIR"):
        folders.require(tmp_path / name)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(RequirementError, match="is a file; choose another one"):
        folders.require(tmp_path / "file" / "data")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_can_not_be_written_is_refused_and_its_owner_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(RequirementError, match="belongs to"):
        folders.require(tmp_path / "data")
