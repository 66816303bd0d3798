{% materialization refreshed_table, adapter='clickhouse' %}
    {#-
        A refreshable materialized view: ClickHouse computes the query again every few seconds and swaps the result in.
        It is made anew only where its text has changed, and is filled before the model counts as built.
    -#}
    {%- set target_relation = this.incorporate(type='materialized_view') -%}
    {%- set after = config.get('refreshed_after', []) -%}
    {%- set definition -%}
        refresh every {{ var('live_seconds') }} second
        {% if after %}depends on {{ this.schema }}.{{ after | join(', ' ~ this.schema ~ '.') }}{% endif %}
        {{ described_columns() }}
        engine = MergeTree
        {{ order_cols(label='order by') }}
        as select * from ({{ sql }}) as computed
        settings max_threads = {{ var('live_threads') }}
    {%- endset -%}
    {#- What it is, and by which text it was made. -#}
    {%- set comment = model.description ~ ' [' ~ local_md5(definition) ~ ']' -%}
    {{ run_hooks(pre_hooks) }}
    {%- set known = first_column(
        "select comment from system.tables where database = '" ~ this.schema ~ "' and name = '" ~ this.identifier ~ "'"
    ) -%}
    {% if known | first != comment %}
        {% call statement('assert_columns') %}
            select 1 {{ get_assert_columns_equivalent(sql) }}
        {% endcall %}
        {% do run_query('drop table if exists ' ~ target_relation ~ ' ' ~ on_cluster_clause(target_relation)) %}
        {% do run_query(
            'create materialized view ' ~ target_relation ~ ' ' ~ on_cluster_clause(target_relation) ~ definition
            ~ ' comment ' ~ text_literal(comment)
        ) %}
    {% else %}
        {% do run_query('system refresh view ' ~ target_relation) %}
    {% endif %}
    {% call statement('main') %}
        system wait view {{ target_relation }}
    {% endcall %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
