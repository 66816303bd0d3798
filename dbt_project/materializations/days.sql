{% macro open_at() %}
    {#-
        The hour from which on nothing is closed: what happens in it or later is counted again at every live reading. It
        lies a little before the build, since an event may come that much later than it happened.
    -#}
    {%- set known = last_open_at() if execute and (var('days', none) is not none) else none -%}
    {%- set hour = run_started_at - modules.datetime.timedelta(seconds=var('closing_delay_seconds')) -%}
    {{ return("toDateTime('" ~ (known or var('open_at', none) or hour.strftime('%Y-%m-%d %H:00:00')) ~ "', 'UTC')") }}
{% endmacro %}


{% macro last_open_at() %}
    {#- As the last whole build left it, as a text; none before the first. What closes days is built last. -#}
    {%- set closed = as_built('closings') -%}
    {%- if closed is none -%}
        {{ return(none) }}
    {%- endif -%}
    {{ return(first_column(
        'select toString(argMax(open_at, closed_at)) from ' ~ closed ~ ' having count() > 0'
    ) | first or none) }}
{% endmacro %}


{% macro as_built(identifier) %}
    {#- The table as the build before left it; none before the first. No ref: who asks is built before it. -#}
    {{ return(load_relation(api.Relation.create(schema=target.schema, identifier=identifier)) if execute else none) }}
{% endmacro %}


{% macro only_days(column) %}
    {#- The condition that keeps a model to the days that this build rebuilds. -#}
    {{ return(column ~ ' in ' ~ day_list(days_to_build(this, config.get('axis'), config.get('capped', false), config.get('touched_too', false),
        config.get('of_events', false)))) }}
{% endmacro %}


{% macro day_list(days) %}
    {%- if days | length == 0 -%}
        {{ return("(toDate('1970-01-01'))") }}
    {%- endif -%}
    {{ return("(toDate('" ~ days | join("'), toDate('") ~ "'))") }}
{% endmacro %}


{% macro days_to_build(relation, axis, capped=false, touched_too=false, of_events=false) %}
    {#-
        The days of `axis` (event or exposure) that were touched since `relation` last built them, as texts: all where it
        is built anew, those of the variable `days` where that is given and the table stays. `capped`: also where a
        pooled cap has changed.
        `touched_too`: the variable adds days and leaves none out. A unit's first exposure may move from day to day, so
        both are built together, or it would be in two.
        `of_events`: it is made of the events themselves, so that no day of a month that retention let go is built.
    -#}
    {%- if not execute -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set wanted = var('days', none) -%}
    {%- if wanted is not none and not touched_too and not has_other_columns(relation) -%}
        {{ return(kept_days(wanted, of_events)) }}
    {%- endif -%}
    {%- set touched = load_relation(ref('touched_days')) -%}
    {%- if touched is none -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set anew = is_built_anew(relation) -%}
    {%- set query -%}
        {#- Of the build that wrote last: where two ran at once, it may have read before the other did. #}
        with builds as (
            select
                day,
                argMax(partition_builds.scanned_at, partition_builds.built_at) as scanned_at,
                max(partition_builds.built_at) as built_at
            from {{ builds_relation() }} as partition_builds
            where model = '{{ relation.identifier }}'
            group by day
        )
        select distinct toString(day) as day
        from (
            select touched.day as day
            from {{ touched }} as touched
            left join builds on touched.day = builds.day
            where touched.axis = '{{ axis }}' {% if not anew %}and touched.scanned_at > builds.scanned_at{% endif %}
            {%- if capped and not anew %}
            union all
            select exposures.exposure_date as day
            from (select distinct experiment_id, exposure_date from {{ ref('first_exposures') }}) as exposures
            inner join (
                select experiment_id, max(changed_at) as changed_at from {{ ref('metric_cap_changes') }}
                group by experiment_id
            ) as changes on exposures.experiment_id = changes.experiment_id
            left join builds on exposures.exposure_date = builds.day
            where changes.changed_at > builds.built_at
            {%- endif %}
        )
        order by day
    {%- endset -%}
    {{ return(kept_days(first_column(query) + (wanted or []), of_events) | unique | sort) }}
{% endmacro %}


{% macro kept_days(days, of_events) %}
    {#- The days as texts; of events without those of months that retention let go. -#}
    {%- set given = days | map('string') | list -%}
    {%- if not of_events or given | length == 0 -%}
        {{ return(given) }}
    {%- endif -%}
    {%- set dropped = first_column('select toString(first_day) from ' ~ dropped_months()) -%}
    {%- set kept = [] -%}
    {%- for day in given if day[:7] ~ '-01' not in dropped -%}
        {%- do kept.append(day) -%}
    {%- endfor -%}
    {{ return(kept) }}
{% endmacro %}


{% macro is_built_anew(relation) %}
    {#- Whether every day is built: there is no table, it has other columns than the model, or so it was asked for. -#}
    {{ return(load_relation(relation) is none or flags.FULL_REFRESH or has_other_columns(relation)) }}
{% endmacro %}


{% macro has_other_columns(relation) %}
    {#- Whether the table was built by a model of other columns or types: its days would not fit in beside new ones. -#}
    {%- set known = first_column(
        "select replaceAll(concat(name, ' ', type), ', ', ',') from system.columns where database = '"
        ~ relation.schema ~ "' and table = '" ~ relation.identifier ~ "'"
    ) -%}
    {%- set wanted = [] -%}
    {%- for column in model.columns.values() -%}
        {%- do wanted.append((column.name ~ ' ' ~ column.data_type) | replace(', ', ',')) -%}
    {%- endfor -%}
    {{ return(known | length > 0 and known | sort != wanted | sort) }}
{% endmacro %}


{% macro add_column(relation, name, type) %}
    {#- For a table as an older version left it, with zeros: an insert alone adds none. -#}
    {%- if load_relation(relation) is none -%}
        select 1
    {%- else -%}
        alter table {{ relation }} {{ on_cluster_clause(relation) }} add column if not exists {{ name }} {{ type }}
    {%- endif -%}
{% endmacro %}


{% macro has_written(relation, name) %}
    {#- Whether a build that knew the column ended: an older version left none, or zeros. -#}
    {%- if not execute or name not in (adapter.get_columns_in_relation(relation) | map(attribute='name') | list) -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(first_column('select toString(max(' ~ name ~ ') > 0) from ' ~ relation) == ['1']) }}
{% endmacro %}


{% macro builds_relation() %}
    {{ return(target.schema ~ '.partition_builds') }}
{% endmacro %}


{% macro create_partition_builds() %}
    {#- Which model built which day, when, and how far it had read what was touched. -#}
    create table if not exists {{ builds_relation() }} {{ on_cluster_clause(this) if this is defined else '' }}
    (
        model LowCardinality(String) comment 'The model.',
        day Date comment 'The UTC day that was built.',
        scanned_at DateTime64(3, 'UTC') comment 'How far the build had read what was touched.',
        built_at DateTime64(3, 'UTC') comment 'When the day was built.'
    )
    engine = ReplacingMergeTree(built_at)
    order by (model, day)
    comment 'One row per model and UTC day: when it was built, and how far the build had read.'
{% endmacro %}


{% macro first_column(query) %}
    {#- The values of the first column; a result without rows has no columns either. -#}
    {{ return(run_query(query).rows | map('first') | list) }}
{% endmacro %}


{% macro caps_that_changed() %}
    {#- The condition on a pooled cap that it is another than the last known. -#}
    {%- if not is_incremental() -%}
        {{ return('1') }}
    {%- endif -%}
    (experiment_id, metric_key, metric_version, value_cap, covariate_cap) not in (
        select
            known.experiment_id,
            known.metric_key,
            known.metric_version,
            known.value_cap,
            known.covariate_cap
        from {{ this }} as known
        order by known.changed_at desc
        limit 1 by known.experiment_id, known.metric_key, known.metric_version
    )
{% endmacro %}
