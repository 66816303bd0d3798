select
    {{ contract_columns() }}
from {{ ref('moments_now') }}
