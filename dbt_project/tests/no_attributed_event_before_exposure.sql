-- Rows: an event counted although it happened before its unit's first exposure.
select
    experiment_id,
    event_id
from {{ ref('attributed_events') }}
where occurred_at < first_exposed_at
