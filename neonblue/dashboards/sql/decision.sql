select
    computed_at,
    action,
    variant_key,
    sentence,
    arrayStringConcat(broken, ', ') as broken
from experiment_decisions
where experiment_key = ${experiment:sqlstring}
order by computed_at desc
limit 1
