-- What each table and column holds, for whoever looks at them in a BI tool. A table made after this says so where it is made.
ALTER TABLE events_processed ${ON_CLUSTER}
    COMMENT COLUMN event_id 'The event''s id.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN event_type 'What happened.',
    COMMENT COLUMN timestamp 'When it happened, UTC.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN event_date 'The UTC day on which it happened.',
    COMMENT COLUMN is_click 'Whether it is a click.',
    MODIFY COMMENT 'One row per accepted event, and copies of it until they are merged away: read with final = 1.';

ALTER TABLE assignments ${ON_CLUSTER}
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN user_id 'The unit''s id, as it was sent.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN assigned_at 'When the unit was assigned, UTC.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'One row per experiment and unit: the variant the unit was given first, and keeps.';

ALTER TABLE experiments ${ON_CLUSTER}
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN version 'The version of the configuration.',
    COMMENT COLUMN key 'The experiment''s key, as people write it.',
    COMMENT COLUMN name 'The experiment''s name.',
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN started_at 'When it started, UTC; null before.',
    COMMENT COLUMN concluded_at 'When it was concluded, UTC; null before.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'One row per change of an experiment, whole; the newest has the greatest (version, received_at).';

ALTER TABLE erased_users ${ON_CLUSTER}
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN erased_at 'When the erasure was asked for, UTC.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'One row per erasure: what was received about the unit up to erased_at is dropped wherever it turns up.';

ALTER TABLE user_links ${ON_CLUSTER}
    COMMENT COLUMN unit_type 'What the unit is, such as user.',
    COMMENT COLUMN anonymous_id 'The id before the person was known.',
    COMMENT COLUMN user_id 'The person.',
    COMMENT COLUMN linked_at 'When the two were linked, UTC.',
    COMMENT COLUMN received_at 'When the API took it, UTC.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    MODIFY COMMENT 'One row per anonymous id: the person it belongs to.';

ALTER TABLE dead_letters ${ON_CLUSTER}
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'What could not be read, with the reason.';

ALTER TABLE recent_events ${ON_CLUSTER}
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
    MODIFY COMMENT 'The last days'' events by day and experiment, for the open day.';

ALTER TABLE raw_events_kafka ${ON_CLUSTER}
    COMMENT COLUMN message 'The message, as Debezium wrote it.',
    MODIFY COMMENT 'The topic, one message per row, unread. Reading it takes messages from the pipeline.';

ALTER TABLE outbox_messages ${ON_CLUSTER}
    COMMENT COLUMN message 'The message.',
    COMMENT COLUMN aggregate_type 'What the message is about.',
    COMMENT COLUMN event_type 'What kind of message it is.',
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Passes on: Debezium''s envelope, opened once. Holds no rows.';

ALTER TABLE event_batches ${ON_CLUSTER}
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN events 'The events that could be read out of it.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Passes on: a batch of events, parsed once. Holds no rows.';

ALTER TABLE assignment_batches ${ON_CLUSTER}
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN assignments 'The assignments that could be read out of it.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Passes on: a batch of assignments, parsed once. Holds no rows.';

ALTER TABLE snapshot_messages ${ON_CLUSTER}
    COMMENT COLUMN aggregate_type 'What the message is about.',
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN fields 'What could be read out of it.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Passes on: experiments and erasures, checked once. Holds no rows.';

ALTER TABLE user_link_messages ${ON_CLUSTER}
    COMMENT COLUMN payload 'What the outbox row carried, as JSON.',
    COMMENT COLUMN fields 'What could be read out of it.',
    COMMENT COLUMN error 'Why it can not be read, or empty.',
    COMMENT COLUMN topic 'The topic.',
    COMMENT COLUMN _partition 'The topic''s partition.',
    COMMENT COLUMN _offset 'The place in the partition.',
    COMMENT COLUMN ingested_at 'When this copy of it was written here, UTC.',
    MODIFY COMMENT 'Passes on: links of ids, checked once. Holds no rows.';

ALTER TABLE experiment_results ${ON_CLUSTER}
    COMMENT COLUMN run_id 'The run that wrote it.',
    COMMENT COLUMN computed_at 'When it was computed, UTC.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN experiment_key 'The experiment''s key, as people write it.',
    COMMENT COLUMN configuration_version 'The version of the configuration that it was computed under.',
    COMMENT COLUMN metric_key 'The metric.',
    COMMENT COLUMN metric_version 'The version of the metric''s definition.',
    COMMENT COLUMN metric_type 'The metric''s kind: mean, proportion, ratio, …',
    COMMENT COLUMN control_variant 'The variant the others are compared with.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN n_control 'Units of the control arm in the numbers.',
    COMMENT COLUMN n_variant 'Units of the variant in the numbers.',
    COMMENT COLUMN mean_control 'The control arm''s mean.',
    COMMENT COLUMN mean_variant 'The variant''s mean.',
    COMMENT COLUMN ci_high 'The upper end of the interval; see ci_low.',
    COMMENT COLUMN level 'The interval''s level, such as 0.95.',
    COMMENT COLUMN relative_ci_low 'The lower end of the relative lift''s interval.',
    COMMENT COLUMN relative_ci_high 'The upper end of the relative lift''s interval.',
    COMMENT COLUMN status_reason 'Why, in words; empty where all is well.',
    COMMENT COLUMN sample_ratio_p 'p of the arms'' sizes under the weights.',
    COMMENT COLUMN sample_ratio_status 'Whether the arms'' sizes fit the weights.',
    COMMENT COLUMN code_version 'The version of NeonBlue that computed it.',
    COMMENT COLUMN unfinished_variant 'As unfinished_control, of the variant.',
    COMMENT COLUMN so_far_variant 'As so_far_control, of the variant.',
    COMMENT COLUMN missing_variant 'As missing_control, of the variant.',
    MODIFY COMMENT 'One row per run, experiment, metric and treatment variant: what the significance tests found, never changed afterwards.';

ALTER TABLE experiment_decisions ${ON_CLUSTER}
    COMMENT COLUMN run_id 'The run that wrote it.',
    COMMENT COLUMN computed_at 'When it was computed, UTC.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN experiment_key 'The experiment''s key, as people write it.',
    COMMENT COLUMN configuration_version 'The version of the configuration that it was computed under.',
    COMMENT COLUMN sentence 'The decision in one sentence.',
    COMMENT COLUMN days_left 'Days until the planned end; null without a plan.',
    COMMENT COLUMN units 'Units.',
    COMMENT COLUMN planned_units 'The planned number of units; null without a plan.',
    COMMENT COLUMN code_version 'The version of NeonBlue that computed it.',
    MODIFY COMMENT 'One row per run and experiment: what the results lead to, in words, never changed afterwards.';

ALTER TABLE sample_ratio_stages ${ON_CLUSTER}
    COMMENT COLUMN run_id 'The run that wrote it.',
    COMMENT COLUMN computed_at 'When it was computed, UTC.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN experiment_key 'The experiment''s key, as people write it.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN units 'Units.',
    MODIFY COMMENT 'One row per run, experiment, configuration version, stage and variant: how many units reached the stage.';

ALTER TABLE randomization_rates ${ON_CLUSTER}
    COMMENT COLUMN run_id 'The run that wrote it.',
    COMMENT COLUMN computed_at 'When it was computed, UTC.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN experiment_key 'The experiment''s key, as people write it.',
    COMMENT COLUMN metric_key 'The metric.',
    COMMENT COLUMN metric_version 'The version of the metric''s definition.',
    COMMENT COLUMN metric_type 'The metric''s kind: mean, proportion, ratio, …',
    COMMENT COLUMN repetitions 'How often the history was divided.',
    COMMENT COLUMN seed 'What the drawings began from.',
    COMMENT COLUMN upper 'The upper end; see lower.',
    COMMENT COLUMN code_version 'The version of NeonBlue that computed it.',
    MODIFY COMMENT 'One row per run and metric: how often a test of two arms drawn at random from real history gave p < 0.05.';

ALTER TABLE guardrail_breaches ${ON_CLUSTER}
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN experiment_key 'The experiment''s key, as people write it.',
    COMMENT COLUMN metric_key 'The metric.',
    COMMENT COLUMN variant_key 'The variant.',
    COMMENT COLUMN n_variant 'Units of the variant in the numbers.',
    COMMENT COLUMN mean_control 'The control arm''s mean.',
    COMMENT COLUMN mean_variant 'The variant''s mean.',
    COMMENT COLUMN reason 'What was breached, in words.',
    COMMENT COLUMN paused_at 'When the experiment was paused, UTC.',
    MODIFY COMMENT 'One row per breach of a guardrail for which an experiment was paused.';

ALTER TABLE result_snapshots ${ON_CLUSTER}
    COMMENT COLUMN snapshot_id 'The snapshot.',
    COMMENT COLUMN experiment_id 'The experiment.',
    COMMENT COLUMN experiment_key 'The experiment''s key, as people write it.',
    COMMENT COLUMN computed_at 'When it was computed, UTC.',
    COMMENT COLUMN configuration_version 'The version of the configuration that it was computed under.',
    COMMENT COLUMN code_version 'The version of NeonBlue that computed it.',
    MODIFY COMMENT 'One row per published result of an experiment, whole, never changed afterwards.';

ALTER TABLE reports ${ON_CLUSTER}
    COMMENT COLUMN report_id 'The report.',
    COMMENT COLUMN experiment_key 'The experiment''s key, as people write it.',
    COMMENT COLUMN created_at 'When it was made, UTC.',
    COMMENT COLUMN watermark 'Everything received up to here is in the numbers',
    COMMENT COLUMN run_id 'The run that wrote it.',
    COMMENT COLUMN configuration_version 'The version of the configuration that it was computed under.',
    COMMENT COLUMN code_version 'The version of NeonBlue that computed it.',
    COMMENT COLUMN title 'The report''s title.',
    COMMENT COLUMN media_type 'What kind of file it is.',
    COMMENT COLUMN bytes 'The file''s size.',
    COMMENT COLUMN sha256 'The file''s SHA-256.',
    MODIFY COMMENT 'One row per rendered report: where the file is and what it was made from.';

ALTER TABLE erased_days ${ON_CLUSTER}
    COMMENT COLUMN day 'The UTC day.',
    COMMENT COLUMN removed_at 'When the rows were removed, UTC.',
    MODIFY COMMENT 'One row per UTC day from which rows of an erased person were removed, and time of the removal.';
