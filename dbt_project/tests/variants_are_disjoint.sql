{{ config(meta={'dagster': {'ref': {'name': 'first_exposures'}}}) }}
-- Rows: a unit that is analysed in more than one variant of an experiment.
{% set differing -%}
select
    experiment_id,
    unit_type,
    user_id
from {{ ref('first_exposures') }}
group by experiment_id, unit_type, user_id
having uniqExact(variant_key) > 1
{%- endset %}
{{ settled_units(differing) }}
