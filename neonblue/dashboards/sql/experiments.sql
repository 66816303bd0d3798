select experiment_key
from stg_experiments
where status != 'draft'
order by status = 'running' desc, received_at desc
