{{ config(meta={'dagster': {'ref': {'name': 'first_exposures'}}}) }}
-- Rows: an analysed unit that was not assigned to its variant alone, under its version.
{% set differing -%}
select
    exposures.experiment_id as experiment_id,
    exposures.unit_type as unit_type,
    exposures.user_id as user_id
from {{ ref('first_exposures') }} as exposures
left any join {{ ref('assigned_units') }} as assigned
    on
        exposures.experiment_id = assigned.experiment_id
        and exposures.unit_type = assigned.unit_type
        and exposures.user_id = assigned.user_id
where (assigned.variants, assigned.variant_key, assigned.version) != (1, exposures.variant_key, exposures.version)
{%- endset %}
{{ settled_units(differing) }}
