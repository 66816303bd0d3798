{% macro metric_caps_rows(unit_values, metrics) %}
{#-
    One row per metric version with a pooled cap: the value of the unit at that percentile of all arms' units that have
    one, and the same of their covariates. The smallest value that at least this share of the units does not exceed (an
    inverted distribution function: one of the values, so exact).
-#}
select
    experiment_id,
    metric_key,
    metric_version,
    arrayElement(arraySort(groupArray(unit_values.value_decimal)), place) as value_cap,
    arrayElement(arraySort(groupArray(unit_values.covariate)), place) as covariate_cap,
    toUInt64(greatest(ceil(toDecimal128(assumeNotNull(any(metrics.cap_percentile)), 6) * count()), 1)) as place
from {{ unit_values }} as unit_values
inner join {{ metrics }} as metrics
    on
        unit_values.experiment_id = metrics.experiment_id
        and unit_values.metric_key = metrics.metric_key
        and unit_values.metric_version = metrics.metric_version
where metrics.cap_percentile is not null and not unit_values.is_missing
group by experiment_id, metric_key, metric_version
{% endmacro %}
