{% set open_day = '(select open_from.open_day from ' ~ ref('open_from') ~ ' as open_from)' -%}
{% set open_events -%}
    (
        select *
        from {{ ref('stg_recent_events') }}
        where event_date >= {{ open_day }}
    )
{%- endset -%}
{% set new_exposures -%}
    (
        select *
        from {{ ref('live_first_exposures') }}
        where exposure_date >= {{ open_day }}
    )
{%- endset -%}
{% set earlier_events -%}
    (
        select *
        from {{ ref('stg_events') }}
        where (unit_type, user_id) in (select unit_type, user_id from {{ new_exposures }} as units)
    )
{%- endset -%}
{% set totals -%}
    select
        experiment_id,
        metric_key,
        metric_version,
        unit_type,
        user_id,
        sum(parts.value) as value,
        sum(parts.closed_value) as closed_value,
        sum(parts.denominator) as denominator,
        sum(parts.closed_denominator) as closed_denominator,
        sum(parts.covariate) as covariate
    from (
        select
            experiment_id,
            metric_key,
            metric_version,
            unit_type,
            user_id,
            closed_value as value,
            closed_value,
            closed_denominator as denominator,
            closed_denominator,
            covariate
        from {{ ref('unit_metric_values') }}
        where exposure_date < {{ open_day }}

        union all

        select
            days.experiment_id as experiment_id,
            days.metric_key as metric_key,
            days.metric_version as metric_version,
            days.unit_type as unit_type,
            days.user_id as user_id,
            days.value as value,
            toDecimal128(0, 6) as closed_value,
            days.denominator as denominator,
            toDecimal128(0, 6) as closed_denominator,
            toDecimal128(0, 6) as covariate
        from (
            {{ component_totals_rows(open_events, ref('live_first_exposures'), ref('metric_components')) }}
        ) as days
        -- Between the build of a closed day and the row that says so, its part is in the closed values already.
        left any join (
            select
                exposure_date,
                max(open_day) as open_day
            from {{ ref('unit_metric_values') }}
            group by exposure_date
        ) as builds
            on days.exposure_date = builds.exposure_date
        where days.event_date >= builds.open_day

        union all

        select
            experiment_id,
            metric_key,
            metric_version,
            unit_type,
            user_id,
            toDecimal128(0, 6) as value,
            toDecimal128(0, 6) as closed_value,
            toDecimal128(0, 6) as denominator,
            toDecimal128(0, 6) as closed_denominator,
            sum(before.covariate) as covariate
        from (
            {{ component_totals_rows(earlier_events, new_exposures, ref('metric_components')) }}
        ) as before
        group by experiment_id, metric_key, metric_version, unit_type, user_id
    ) as parts
    group by experiment_id, metric_key, metric_version, unit_type, user_id
{%- endset -%}

{{ unit_metric_values_rows(
    ref('live_first_exposures'), ref('stg_metrics'), totals, 'assumeNotNull(' ~ open_day ~ ')'
) }}
