select
    ingested_at,
    error,
    _partition,
    _offset
from dead_letters
where $__timeFilter(ingested_at)
order by ingested_at desc
limit 50
