{% materialization daily_partitions, adapter='clickhouse' %}
    {#-
        A table partitioned by UTC day, of which a build replaces exactly the touched days. Each day changes in one step:
        it is built beside the table, then takes the old day's place; a day that has become empty is dropped. A table of
        other columns than the model's is built whole, and takes the old one's place in one step as well.
    -#}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set axis = config.require('axis') -%}
    {%- set touched = load_relation(ref('touched_days')) -%}
    {%- set scanned_at = first_column('select toString(max(scanned_at)) from ' ~ touched)[0]
        if touched is not none else '1970-01-01 00:00:00' -%}
    {%- set days = days_to_build(this, axis, config.get('capped', false), config.get('touched_too', false),
        config.get('of_events', false)) -%}
    {%- set whole = day_list(days) -%}
    {%- set anew = is_built_anew(this) -%}
    {%- set staging = target_relation.incorporate(
        path={'identifier': this.identifier ~ '__' ~ invocation_id.replace('-', '')}
    ) -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {% if anew or days | length > 0 %}
        {% do clickhouse__create_empty_table(False, staging, sql, true) %}
        {% for batch in days | batch(var('days_at_once')) %}
            {% call statement('insert_days') %}
                {{ clickhouse__insert_into(staging, sql | replace(whole, day_list(batch)), true) }}
            {% endcall %}
        {% endfor %}
    {% endif %}
    {% if existing is none %}
        {% do adapter.rename_relation(staging, target_relation) %}
    {% elif anew %}
        {% do exchange_tables_atomic(staging, existing) %}
        {% do adapter.drop_relation(staging) %}
    {% elif days | length > 0 %}
        {% do replace_days(existing, staging, days) %}
        {% do adapter.drop_relation(staging) %}
    {% endif %}
    {% if days | length > 0 %}
        {% do run_query(
            "insert into " ~ builds_relation() ~ " select '" ~ this.identifier ~ "', arrayJoin([" ~ whole[1:-1]
            ~ "]), toDateTime64('" ~ scanned_at ~ "', 3, 'UTC'), now64(3, 'UTC')"
        ) %}
    {% endif %}
    {% call statement('main') %}
        select {{ days | length }}
    {% endcall %}
    {{ log(this.identifier ~ ': ' ~ days | length ~ ' days rebuilt', info=False) }}

    {% do persist_docs(target_relation, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% macro replace_days(relation, staging, days) %}
    {%- set filled = first_column(
        "select distinct partition from system.parts where active and database = '" ~ staging.schema
        ~ "' and table = '" ~ staging.identifier ~ "'"
    ) -%}
    {% call statement('replace_days') %}
        alter table {{ relation }} {{ on_cluster_clause(relation) }}
        {%- for day in days %}
            {%- if day in filled %}
                replace partition '{{ day }}' from {{ staging }}
            {%- else %}
                drop partition '{{ day }}'
            {%- endif %}
            {{- ',' if not loop.last }}
        {%- endfor %}
    {% endcall %}
{% endmacro %}
