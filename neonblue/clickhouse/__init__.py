"""ClickHouse: the client by which all that is NeonBlue's asks it, and the tables of ``clickhouse/``."""
