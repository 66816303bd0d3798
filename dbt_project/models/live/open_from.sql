select argMax(closed.open_day, closed.closed_at) as open_day
from {{ ref('closed_days') }} as closed
