{% macro open_events(open_at) %}
    (
        select *
        from {{ ref('stg_recent_events') }}
        where occurred_at >= {{ open_at }}
    )
{% endmacro %}


{% macro entered_units_rows(open_at) %}
    {#- Who was assigned or exposed in an open hour, from all of its assignments. -#}
    select *
    from (
        {{ assigned_units_rows(ref('stg_assignments')) }}
    )
    where (experiment_id, unit_type, user_id) in (
        select
            experiment_id,
            unit_type,
            user_id
        from {{ ref('stg_assignments') }}
        where assigned_at >= {{ open_at }}

        union all

        select
            experiment_id,
            unit_type,
            user_id
        from {{ open_events(open_at) }}
        where {{ is_exposure() }}
    )
{% endmacro %}


{% macro fresh_exposures_rows(entered, open_at) %}
    {#- Who is first exposed in an open hour: never in a closed one. entered: rows of entered_units. -#}
    select *
    from (
        {{ first_exposures_rows(
            entered,
            open_events(open_at),
            ref('stg_experiments'),
            ref('stg_interruptions'),
            condition='first_exposed_at >= ' ~ open_at
        ) }}
    )
    where (experiment_id, unit_type, user_id) not in (
        select
            closed.experiment_id,
            closed.unit_type,
            closed.user_id
        from {{ ref('first_exposures') }} as closed
        where closed.first_exposed_at < {{ open_at }}
    )
{% endmacro %}


{% macro open_totals_rows(open_at) %}
    {#- What the units of closed hours did since their closed values were built. -#}
    {%- set exposures -%}
        (
            select
                closed.experiment_id as experiment_id,
                closed.unit_type as unit_type,
                closed.user_id as user_id,
                closed.first_exposed_at as first_exposed_at,
                builds.counted_from as built_to
            from (
                select * from {{ ref('first_exposures') }}
                where
                    first_exposed_at < {{ open_at }}
                    and user_id in (select user_id from {{ open_events(open_at) }})
            ) as closed
            left any join (
                select
                    exposure_date,
                    max(open_at) as counted_from
                from {{ ref('unit_metric_values') }}
                group by exposure_date
            ) as builds
                on closed.exposure_date = builds.exposure_date
        )
    {%- endset -%}
    {{ component_totals_rows(
        open_events(open_at), exposures, ref('metric_components'), 'toDateTime(0)', 'built_to'
    ) }}
{% endmacro %}


{% macro grown_units_rows(totals) %}
    {#- Rows of unit_metric_values of units of closed hours, with what happened since. -#}
    select
        units.experiment_id as experiment_id,
        units.metric_key as metric_key,
        units.metric_version as metric_version,
        units.unit_type as unit_type,
        units.user_id as user_id,
        units.variant_key as variant_key,
        units.version as version,
        units.first_exposed_at as first_exposed_at,
        units.exposure_date as exposure_date,
        {{ capped(aggregated('(units.closed_value + grown.value)', 'metrics.aggregation'), 'metrics.cap') }}
            as value_decimal,
        toFloat64(value_decimal) as value,
        {{ aggregated('(units.closed_denominator + grown.denominator)', 'metrics.denominator_aggregation') }}
            as denominator,
        units.covariate as covariate,
        {{ missing('(units.closed_answers + grown.answers)', 'metrics.missing') }} as is_missing,
        units.just_before as just_before,
        units.window_seconds as window_seconds,
        units.closed_value as closed_value,
        units.closed_denominator as closed_denominator,
        units.closed_answers as closed_answers,
        units.open_at as open_at
    from {{ ref('unit_metric_values') }} as units
    inner join {{ totals }} as grown
        on
            units.experiment_id = grown.experiment_id
            and units.metric_key = grown.metric_key
            and units.metric_version = grown.metric_version
            and units.unit_type = grown.unit_type
            and units.user_id = grown.user_id
    inner join {{ ref('stg_metrics') }} as metrics
        on
            units.experiment_id = metrics.experiment_id
            and units.metric_key = metrics.metric_key
            and units.metric_version = metrics.metric_version
{% endmacro %}


{% macro fresh_units_rows(fresh, open_at) %}
    {#- Rows as of unit_metric_values of the units first exposed in an open hour. -#}
    {%- set totals = component_totals_rows(events_of(fresh), fresh, ref('metric_components'), open_at) -%}
    {{ unit_metric_values_rows(fresh, ref('stg_metrics'), totals, 'assumeNotNull(' ~ open_at ~ ')') }}
{% endmacro %}
