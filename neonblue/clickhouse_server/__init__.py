"""ClickHouse's HTTP interface over the embedded engine, as one process.

``python -m neonblue.clickhouse_server --path DIR --port N`` serves what clickhouse-connect,
dbt-clickhouse and curl use. The engine is chdb-core: one per process, many connections, no users of its own;
so users, sessions, query ids, compression and cancellation are made here.
"""
