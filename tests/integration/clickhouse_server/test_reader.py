"""What the read-only user tries and must not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import READER, Server

REFUSED = [
    "INSERT INTO guarded VALUES (2)",
    "INSERT INTO guarded SELECT 2",
    "INSERT INTO FUNCTION file('{path}', 'TSV') SELECT 1",
    "INSERT INTO FUNCTION null('a UInt8') VALUES (1)",
    "CREATE TABLE made (a UInt8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE made (a UInt8)",
    "CREATE DATABASE made",
    "CREATE VIEW made AS SELECT 1",
    "CREATE FUNCTION made AS x -> x",
    "CREATE USER made",
    "DROP TABLE guarded",
    "TRUNCATE TABLE guarded",
    "ALTER TABLE guarded DELETE WHERE 1",
    "DELETE FROM guarded WHERE 1",
    "UPDATE guarded SET a = 2 WHERE 1",
    "OPTIMIZE TABLE guarded",
    "RENAME TABLE guarded TO other",
    "EXCHANGE TABLES guarded AND guarded",
    "ATTACH TABLE other FROM '/tmp' (a UInt8) ENGINE = Memory",
    "DETACH TABLE guarded",
    "SYSTEM SHUTDOWN",
    "SYSTEM STOP MERGES",
    "KILL QUERY WHERE 1",
    "BACKUP TABLE guarded TO Disk('default', 'x')",
    "GRANT ALL ON *.* TO default",
    "SET readonly = 0",
    "SET final = 0, readonly = 0",
    "SET allow_ddl = 1, readonly = 2",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1; SET readonly = 0",
    "SELECT 1; DROP TABLE guarded",
    "SELECT 1 INTO OUTFILE '{path}'",
    "SELECT 1 INTO/**/OUTFILE '{path}' TRUNCATE",
    "SELECT * FROM file('/etc/passwd', 'TSV', 'a String')",
    "SELECT * FROM `file`('/etc/passwd', 'LineAsString')",
    "SELECT * FROM \"file\" /* */ ('/etc/passwd')",
    "SELECT file('/etc/passwd')",
    "SELECT FILE('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT \u201cfile\u201d('/etc/passwd')",
    "SELECT `fil\\x65`('/etc/passwd')",
    "/* /* */ ' */ SELECT file('/etc/passwd') /* ' */",
    "// '\nSELECT file('/etc/passwd') // '",
    "# '\nSELECT file('/etc/passwd') # '",
    "SELECT $a b$'$a b$, file('/etc/passwd') -- '",
    "SELECT 'a\\'', file('/etc/passwd') -- '",
    "SELECT * APPLY(file) FROM (SELECT '/etc/passwd' AS x)",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd' AS x)",
    "SELECT COLUMNS('x') APPLY(x -> file(x)) FROM (SELECT '/etc/passwd' AS x)",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "WITH f AS (SELECT file('/etc/passwd')) SELECT * FROM f",
    "EXPLAIN SELECT file('/etc/passwd')",
    "DESCRIBE file('/etc/passwd', 'TSV')",
    "DESCRIBE TABLE url('http://127.0.0.1:1/')",
    "DESCRIBE (SELECT * FROM url('http://127.0.0.1:1/', 'TSV'))",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM `/etc/passwd`",
    "SELECT * FROM {{x:Identifier}}",
    "EXISTS TABLE `/etc/passwd`",
    "EXISTS TABLE {{x:Identifier}}",
    "SELECT * FROM url('http://127.0.0.1:1/', 'TSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1:1', system.one)",
    "SELECT * FROM remoteSecure('127.0.0.1:1', system.one)",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM s3('http://127.0.0.1:1/bucket/key', 'TSV', 'a String')",
    "SELECT * FROM executable('id', 'TSV', 'a String')",
    "SELECT * FROM python('x')",
    "SELECT * FROM Python(x)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('/tmp/a', 't')",
    "SELECT * FROM redis('127.0.0.1:1', 'a', 'a String')",
    "SELECT * FROM hdfs('hdfs://127.0.0.1:1/a', 'TSV', 'a String')",
    "SELECT * FROM icebergLocal('/tmp')",
    "SELECT * FROM deltaLakeLocal('/tmp')",
    "SELECT * FROM view(SELECT * FROM file('/etc/passwd', 'TSV', 'a String'))",
    "SELECT catboostEvaluate('/etc/passwd', 1)",
    "EXECUTE AS default SELECT 1",
]


@pytest.fixture(scope="module")
def guarded(server: Server) -> Server:
    server.post("CREATE TABLE guarded (a UInt8) ENGINE = MergeTree ORDER BY a")
    server.post("INSERT INTO guarded VALUES (1)")
    return server


@pytest.mark.parametrize("attack", REFUSED)
@pytest.mark.parametrize("session", [False, True])
def test_refused(guarded: Server, tmp_path: Path, attack: str, session: bool) -> None:
    target = tmp_path / "written"
    arguments = {"session_id": "attack"} if session else {}
    query = attack.format(path=target)
    response = guarded.post(query, user=READER, param_x="/etc/passwd", **arguments)
    assert response.status_code in {400, 403, 404, 500, 501}, response.text
    assert "root:" not in response.text
    assert not target.exists()
    again = guarded.post("INSERT INTO guarded VALUES (3)", user=READER, **arguments)
    assert again.headers["X-ClickHouse-Exception-Code"] == "164"
    assert guarded.post("SELECT groupArray(a) FROM guarded").text == "[1]\n"


@pytest.mark.parametrize(
    "settings",
    [{"readonly": "0"}, {"readonly": "2"}, {"allow_ddl": "1"}, {"profile": "default"}, {"`readonly`": "0"}],
)
def test_settings_of_the_url_do_not_widen_rights(guarded: Server, settings: dict[str, str]) -> None:
    assert guarded.post("SELECT 1", user=READER, **settings).status_code in {400, 403, 404}
    write = guarded.post("INSERT INTO guarded VALUES (3)", user=READER, **settings)
    assert write.status_code in {400, 403, 404}
    assert guarded.post("SELECT groupArray(a) FROM guarded").text == "[1]\n"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count() FROM guarded",
        "WITH 1 AS x SELECT x",
        "SELECT sum(number) FROM numbers(2)",
        "SELECT 1 FROM view(SELECT 1)",
        "SELECT replaceAll('file(x)', 'file(x)', '1')",
        "SELECT file FROM (SELECT 1 AS file)",
        "EXISTS TABLE guarded",
    ],
)
def test_allowed(guarded: Server, query: str) -> None:
    response = guarded.post(query, user=READER)
    assert (response.status_code, response.text) == (200, "1\n")


@pytest.mark.parametrize(
    "query", ["SHOW TABLES", "DESCRIBE guarded", "SHOW CREATE TABLE guarded", "EXPLAIN SELECT 1"]
)
def test_allowed_descriptions(guarded: Server, query: str) -> None:
    assert guarded.post(query, user=READER).status_code == 200


def test_limits_of_the_url_hold(guarded: Server) -> None:
    query = "SELECT getSetting('max_execution_time')"
    assert guarded.post(query, user=READER, max_execution_time="7").text == "7\n"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELEC 1", "Syntax error: failed at position 1 (SELEC)"),
        ("SELECT FROM WHERE", "Syntax error"),
        ("SELECT 1 +", "Syntax error"),
        ("nonsense", "Unknown expression identifier `nonsense`"),
        ("SELECT 'a' 'b', (1", "Syntax error: failed at position"),
        ("SELECT nothing", "UNKNOWN_IDENTIFIER"),
        ("SELECT * FROM nothing", "UNKNOWN_TABLE"),
        ("SELECT nofunction(1)", "UNKNOWN_FUNCTION"),
        ("SELECT toDate('x')", "Cannot parse"),
        ("SELECT 1 FORMAT Nothing", "Unknown format"),
        ("DROP TABLE guarded", "DROP is not for the read-only user"),
        ("INSERT INTO guarded VALUES (2)", "INSERT is not for the read-only user"),
    ],
)
def test_the_true_reason_is_told(guarded: Server, query: str, reason: str) -> None:
    response = guarded.post(query, user=READER)
    assert response.is_error
    assert reason in response.text
    assert "formatQuery" not in response.text
