select argMax(closed.open_at, closed.closed_at) as open_at
from {{ ref('closings') }} as closed
