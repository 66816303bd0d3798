{% macro refuse_beside_a_build() %}
    {#-
        Two builds at once would replace the same days, and the one that read first might replace last. Dagster's builds
        and `neonblue dbt` hold a lock, and say so; plain dbt has none, so it looks whether one of them is at work.
    -#}
    {%- set writes = flags.WHICH in ('build', 'run', 'seed', 'snapshot', 'retry', 'clone') -%}
    {%- if execute and writes and env_var('NEONBLUE_DBT_LOCK', '') != 'held' -%}
        {%- set node = '"node_id": "model\\\\.' ~ 'neonblue' ~ '\\\\.([^"]+)"' -%}
        {%- set built = first_column(
            "select distinct extract(query, '" ~ node ~ "') as model from system.processes"
            ~ " where startsWith(query, '/* {') and position(query, '\"app\": \"dbt\"') > 0 and model != ''"
        ) -%}
        {%- if built | length > 0 -%}
            {%- do exceptions.raise_compiler_error(
                'another build is at work in this ClickHouse, at ' ~ built | join(', ') ~ ': two at once would write '
                ~ "each other's days. Start again when it has ended, or use `neonblue dbt " ~ flags.WHICH
                ~ '`, which waits for it'
            ) -%}
        {%- endif -%}
    {%- endif -%}
    {{ return('select 1') }}
{% endmacro %}
