-- The same of the views that carry rows from table to table; a column holds what its namesake in the target does.
ALTER TABLE outbox_messages_mv ${ON_CLUSTER}
    COMMENT COLUMN message 'The message.',
    COMMENT COLUMN aggregate_type 'What the message is about.',
    COMMENT COLUMN event_type 'What kind of message it is.',
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Opens each message of the topic.';

ALTER TABLE dead_letters_mv ${ON_CLUSTER}
    COMMENT COLUMN message 'The message.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN element 'The place in the batch, from 1; 0: the whole message',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Keeps messages whose envelope can not be read.';

ALTER TABLE event_batches_mv ${ON_CLUSTER}
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN events 'The events that could be read out of it.',
    COMMENT COLUMN errors 'One for each element, empty where it is good.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Parses batches of events.';

ALTER TABLE events_kafka_mv ${ON_CLUSTER}
    COMMENT COLUMN event_id 'The event''s id.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN event_type 'What happened.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN session_id 'Empty: none',
    COMMENT COLUMN timestamp 'When it happened, UTC.',
    COMMENT COLUMN value '0 where absent',
    COMMENT COLUMN properties 'A JSON object, or empty',
    COMMENT COLUMN received_delay 'Microseconds from timestamp to received_at',
    COMMENT COLUMN ingested_delay 'Milliseconds from received_at to ingested_at',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'Writes the good events of each batch.';

ALTER TABLE event_dead_letters_mv ${ON_CLUSTER}
    COMMENT COLUMN message 'The message.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN element 'The place in the batch, from 1; 0: the whole message',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Keeps the bad events of each batch.';

ALTER TABLE assignment_batches_mv ${ON_CLUSTER}
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN assignments 'The assignments that could be read out of it.',
    COMMENT COLUMN errors 'One for each element, empty where it is good.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Parses batches of assignments.';

ALTER TABLE assignments_mv ${ON_CLUSTER}
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN version 'The version of the configuration.',
    COMMENT COLUMN assigned_at 'When the unit was assigned, UTC.',
    COMMENT COLUMN attributes 'A JSON object, as it was at the assignment, or empty',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'Writes the good assignments of each batch.';

ALTER TABLE assignment_dead_letters_mv ${ON_CLUSTER}
    COMMENT COLUMN message 'The message.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN element 'The place in the batch, from 1; 0: the whole message',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Keeps the bad assignments of each batch.';

ALTER TABLE snapshot_messages_mv ${ON_CLUSTER}
    COMMENT COLUMN aggregate_type 'What the message is about.',
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN fields 'What could be read out of it.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Checks messages of experiments and erasures.';

ALTER TABLE experiments_mv ${ON_CLUSTER}
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN version 'The version of the configuration.',
    COMMENT COLUMN key 'The experiment''s key, as people write it.',
    COMMENT COLUMN name 'The experiment''s name.',
    COMMENT COLUMN source 'internal or external',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN population 'exposed or assigned',
    COMMENT COLUMN status 'draft, running or concluded',
    COMMENT COLUMN snapshot 'The message itself: variants and metric definitions as JSON',
    COMMENT COLUMN started_at 'When it started, UTC; null before.',
    COMMENT COLUMN concluded_at 'When it was concluded, UTC; null before.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'Writes the changes of experiments.';

ALTER TABLE erased_users_mv ${ON_CLUSTER}
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN person 'SHA-256 of unit type, NUL and user id',
    COMMENT COLUMN person_key 'cityHash64 of unit type and user id',
    COMMENT COLUMN erased_at 'When the erasure was asked for, UTC.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'Writes the erasures.';

ALTER TABLE snapshot_dead_letters_mv ${ON_CLUSTER}
    COMMENT COLUMN message 'The message.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN element 'The place in the batch, from 1; 0: the whole message',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Keeps bad messages of experiments and erasures.';

ALTER TABLE user_link_messages_mv ${ON_CLUSTER}
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN fields 'What could be read out of it.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Checks messages of links.';

ALTER TABLE user_links_mv ${ON_CLUSTER}
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN anonymous_id 'The id before the person was known.',
    COMMENT COLUMN user_id 'The person.',
    COMMENT COLUMN linked_at 'When the two were linked, UTC.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'Writes the links.';

ALTER TABLE user_link_dead_letters_mv ${ON_CLUSTER}
    COMMENT COLUMN message 'The message.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN element 'The place in the batch, from 1; 0: the whole message',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Keeps bad messages of links.';

ALTER TABLE recent_events_mv ${ON_CLUSTER}
    COMMENT COLUMN event_id 'The event''s id.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN event_type 'What happened.',
    COMMENT COLUMN timestamp 'When it happened, UTC.',
    COMMENT COLUMN value '0 where absent',
    COMMENT COLUMN properties 'A JSON object, or empty',
    COMMENT COLUMN is_conversion 'Whether the event''s type counts as a conversion wherever no metric says otherwise.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    MODIFY COMMENT 'Writes each event of the last days once more, by day.';
