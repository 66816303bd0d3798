select
    view as live_table,
    status,
    last_success_time,
    last_success_duration_ms / 1000 as seconds,
    substring(exception, 1, 300) as why
from system.view_refreshes
where database = concat(currentDatabase(), '_live')
order by view
