{{ config(meta={'dagster': {'ref': {'name': 'exposure_health'}}}) }}
-- Rows: an experiment whose health counts other units than were assigned or are analysed.
{% set differing -%}
with counted as (

    select
        experiment_id,
        count() as assigned_units,
        countIf(units.variants > 1) as units_in_several_variants
    from {{ ref('assigned_units') }} as units
    group by experiment_id

)

select experiment_id
from {{ ref('exposure_health') }} as health
left any join counted
    using (experiment_id)
where
    (health.assigned_units, health.units_in_several_variants)
    != (counted.assigned_units, counted.units_in_several_variants)
    or health.exposed_units > health.assigned_units
{%- endset %}
{{ settled_rows(differing) }}
