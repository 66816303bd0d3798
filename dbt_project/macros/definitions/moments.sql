{% macro moment_grain() %}
    {#- What a row of metric_moments is of. -#}
    experiment_id, variant_key, metric_key, metric_version, version, exposure_date, entered_from, finishes_at
{%- endmacro %}


{% macro moment_columns() %}
    {#-
        Sums, squares and products of a group of units: exact, since the factors are decimals. A unit without a value
        counts as missing, and adds nothing else.
    -#}
    countIf(not units.is_missing) as n,
    countIf(units.is_missing) as missing,
    sum(units.value) as sum_value,
    sum(units.value_wide * units.value_wide) as sum_squares,
    sum(units.denominator) as sum_denominator,
    sum(units.denominator_wide * units.denominator_wide) as sum_denominator_squares,
    sum(units.value_wide * units.denominator_wide) as sum_value_denominator,
    sum(units.covariate) as sum_covariate,
    sum(units.covariate_wide * units.covariate_wide) as sum_covariate_squares,
    sum(units.value_wide * units.covariate_wide) as sum_value_covariate,
    sum(units.denominator_wide * units.covariate_wide) as sum_denominator_covariate,
    sum(units.just_before) as just_before
{% endmacro %}


{% macro entered_from(units) %}
    {#-
        The beginning of the hour in which the unit entered; of the day, where the metric has no window: such a unit
        never finishes, and nothing is asked of its hour.
    -#}
    if(
        {{ units }}.window_seconds is null,
        toDateTime({{ units }}.exposure_date, 'UTC'),
        toStartOfHour({{ units }}.first_exposed_at)
    )
{% endmacro %}


{% macro finishes_at(units) %}
    {#- When the window of the last unit that may have entered in this unit's hour ends; null without a window. -#}
    toStartOfHour({{ units }}.first_exposed_at) + 3600 + {{ units }}.window_seconds
{% endmacro %}


{% macro capped_units(unit_values, caps, condition='1') %}
    {#-
        The units' values with the pooled caps on them, also as decimals wide enough for a product. Where there is no
        value (it is 0 then, of no events), the covariate is 0 as well: a pair without a half is none.
    -#}
    select
        unit_values.experiment_id as experiment_id,
        unit_values.metric_key as metric_key,
        unit_values.metric_version as metric_version,
        unit_values.unit_type as unit_type,
        unit_values.user_id as user_id,
        unit_values.variant_key as variant_key,
        unit_values.version as version,
        unit_values.exposure_date as exposure_date,
        {{ entered_from('unit_values') }} as entered_from,
        {{ finishes_at('unit_values') }} as finishes_at,
        unit_values.is_missing as is_missing,
        unit_values.just_before as just_before,
        unit_values.denominator as denominator,
        if(
            caps.metric_key = '',
            unit_values.value_decimal,
            least(unit_values.value_decimal, caps.value_cap)
        ) as value,
        multiIf(
            unit_values.is_missing, toDecimal128(0, 6),
            caps.metric_key = '', unit_values.covariate,
            least(unit_values.covariate, caps.covariate_cap)
        ) as covariate,
        toDecimal256(value, 6) as value_wide,
        toDecimal256(denominator, 6) as denominator_wide,
        toDecimal256(covariate, 6) as covariate_wide
    from {{ unit_values }} as unit_values
    left any join {{ caps }} as caps
        on
            unit_values.experiment_id = caps.experiment_id
            and unit_values.metric_key = caps.metric_key
            and unit_values.metric_version = caps.metric_version
    where {{ condition }}
{% endmacro %}


{% macro metric_moments_rows(unit_values, caps, condition='1') %}
{#-
    One row per experiment, variant, metric version, entry configuration version, first-exposure day and, where the
    metric has a window, hour: so whether a row's units have finished is decided when it is read.
-#}
with units as (

    {{ capped_units(unit_values, caps, condition) }}

)

select
    {{ moment_grain() }},
    {{ moment_columns() }}
from units
group by {{ moment_grain() }}
{% endmacro %}


{% macro segment_metrics_rows(unit_values, caps, exposures, condition='1') %}
{#- As metric_moments, and per attribute and value of it that the unit had at its assignment. -#}
with units as (

    {{ capped_units(unit_values, caps, condition) }}

),

segments as (

    select
        experiment_id,
        unit_type,
        user_id,
        pair.1 as attribute,
        if(JSONType(pair.2) = 'String', JSONExtractString(pair.2), pair.2) as segment
    from {{ exposures }}
    array join JSONExtractKeysAndValuesRaw(attributes) as pair
    where
        {{ condition }}
        and JSONType(pair.2) in ('String', 'Bool', 'Int64', 'UInt64', 'Double')
        and lengthUTF8(segment) between 1 and 64

)

select
    units.experiment_id as experiment_id,
    segments.attribute as attribute,
    segments.segment as segment,
    units.variant_key as variant_key,
    units.metric_key as metric_key,
    units.metric_version as metric_version,
    units.version as version,
    units.exposure_date as exposure_date,
    units.entered_from as entered_from,
    units.finishes_at as finishes_at,
    {{ moment_columns() }}
from units
inner join segments
    on
        units.experiment_id = segments.experiment_id
        and units.unit_type = segments.unit_type
        and units.user_id = segments.user_id
group by
    experiment_id,
    attribute,
    segment,
    variant_key,
    metric_key,
    metric_version,
    version,
    exposure_date,
    entered_from,
    finishes_at
{% endmacro %}
