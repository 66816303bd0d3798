-- The topic, one message per row, unread. Address, topic and group are server macros (<macros> in the configuration), so a
-- new address needs no new table. Nothing is consumed until 0011 attaches the first view.
CREATE TABLE IF NOT EXISTS raw_events_kafka ${ON_CLUSTER}
(
    message String
)
ENGINE = Kafka
SETTINGS
    kafka_broker_list = '{kafka_broker_list}',
    kafka_topic_list = '{kafka_topic}',
    kafka_group_name = '{kafka_group}',
    kafka_format = 'RawBLOB',
    kafka_handle_error_mode = 'stream',
    kafka_flush_interval_ms = 100,
    kafka_poll_timeout_ms = 50,
    kafka_thread_per_consumer = 1,
    kafka_num_consumers = 1,
    kafka_max_block_size = 16384,
    kafka_poll_max_batch_size = 16384;

-- Debezium's envelope, opened once for every view behind it. Stores nothing.
CREATE TABLE IF NOT EXISTS outbox_messages ${ON_CLUSTER}
(
    message String,
    aggregate_type String,
    event_type String,
    payload String,
    error String COMMENT 'Why the envelope can not be read, or empty',
    topic LowCardinality(String),
    _partition UInt32,
    _offset UInt64,
    ingested_at DateTime64(3, 'UTC')
)
ENGINE = Null;
