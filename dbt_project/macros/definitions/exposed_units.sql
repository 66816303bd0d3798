{% macro is_exposure() %}
    {#- The condition on an event that its unit met a variant of an experiment. -#}
    event_type = 'exposure' and experiment_id > 0
{%- endmacro %}


{% macro exposed_units_rows(events, interruptions, open_at=none) %}
{#-
    One row per experiment and unit with an exposure that counts. open_at: with the exposures before it, and with what they
    were stamped with.
-#}
select
    experiment_id,
    unit_type,
    user_id,
    min(exposures.occurred_at) as first_exposed_at,
    count() as exposures
    {%- if open_at is not none %},
    toUInt32(uniqExactIf(variant_key, variant_key != '')) as variants,
    countIf(exposures.occurred_at < {{ open_at }}) as closed_exposures,
    {{ open_at }} as open_at
    {%- endif %}
from {{ counted_exposures(events, interruptions) }} as exposures
group by experiment_id, unit_type, user_id
{% endmacro %}
