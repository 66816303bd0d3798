{#-
    Models are built one after the other while rows go on arriving, links are made and people are erased: two of them may
    differ in what came in between, until the next build. Such a difference is no fault. Tests of several models, or of a
    table that is built day by day, ask here. What came is looked up only where something differs: it reads every event.
-#}

{% macro settled_units(differing) %}
    {#- Of these rows (with unit_type and user_id) those of units of whom nothing came. -#}
    {%- set settled -%}
        select * from ({{ differing }})
        where not {{ erased_since() }} and (unit_type, user_id) not in ({{ arrived_units() }})
    {%- endset -%}
    {{ return(where_any_differ(differing, settled)) }}
{% endmacro %}


{% macro settled_experiments(differing, open_at) %}
    {#- Of these rows (with experiment_id) those of experiments of whose closed hours, before open_at, nothing came. -#}
    {%- set settled -%}
        select * from ({{ differing }})
        where not {{ erased_since() }} and experiment_id not in (
            select experiment_id from {{ ref('first_exposures') }}
            where
                first_exposed_at < {{ open_at }}
                and (unit_type, user_id) in ({{ arrived_units('timestamp < ' ~ open_at) }})

            union all

            select experiment_id from {{ ref('assigned_units') }}
            where assigned_at < {{ open_at }} and (unit_type, user_id) in ({{ linked_units() }})
        )
    {%- endset -%}
    {{ return(where_any_differ(differing, settled)) }}
{% endmacro %}


{% macro settled_rows(differing) %}
    {#- These rows, unless people were erased. -#}
    {{ return(where_any_differ(differing, 'select * from (' ~ differing ~ ') where not ' ~ erased_since())) }}
{% endmacro %}


{% macro erased_since() %}
    {#- Whether people were erased. Their rows go while the models are built, and leave no name. -#}
    (
        (select count() from {{ source('ingestion', 'erased_users') }} where ingested_at >= {{ last_scan() }})
        + (select count() from {{ source('ingestion', 'erased_days') }} where removed_at >= {{ last_scan() }}) > 0
    )
{% endmacro %}


{% macro arrived_units(events='1') %}
    {#- Units of whom an event, an assignment or a link came: by the id that was sent, and by the person's. -#}
    with arrived as (

        select
            unit_type,
            user_id
        from {{ source('ingestion', 'events_processed') }}
        where ingested_at >= {{ last_scan() }} and {{ events }}

        union distinct

        select
            unit_type,
            user_id
        from {{ source('ingestion', 'assignments') }}
        where ingested_at >= {{ last_scan() }}

        union distinct

        {{ linked_units() }}

    )

    select
        unit_type,
        user_id
    from arrived

    union all

    select
        links.unit_type as unit_type,
        links.user_id as user_id
    from {{ source('ingestion', 'user_links') }} as links
    where (links.unit_type, links.anonymous_id) in (
        select
            arrived.unit_type,
            arrived.user_id
        from arrived
    )
{% endmacro %}


{% macro linked_units() %}
    {#- Every id of the people of whom a link came. -#}
    select distinct
        unit_type,
        arrayJoin([user_id, anonymous_id]) as user_id
    from {{ source('ingestion', 'user_links') }}
    where (unit_type, user_id) in (
        select
            unit_type,
            user_id
        from {{ source('ingestion', 'user_links') }}
        where ingested_at >= {{ last_scan() }}
    )
{% endmacro %}


{% macro last_scan() %}
    {#- When the build began to read. A row is visible at most some seconds after the time it carries. -#}
    (select max(scans.scanned_at) - toIntervalSecond(10) from {{ ref('touched_days') }} as scans)
{% endmacro %}


{% macro where_any_differ(differing, settled) %}
    {%- if execute and flags.WHICH in ('build', 'test') -%}
        {%- if first_column('select count() from (' ~ differing ~ ')') | first == 0 -%}
            {{ return('select 1 as differing where 0') }}
        {%- endif -%}
    {%- endif -%}
    {{ return(settled) }}
{% endmacro %}
