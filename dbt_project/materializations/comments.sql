{#-
    The descriptions, as ClickHouse's comments. A table gets them where it is made, a view by one ALTER after it was
    replaced; a table that stays is altered only where a description is another than its comment.
-#}

{% macro clickhouse__get_table_columns_and_constraints() %}
    {{- return(described_columns()) -}}
{% endmacro %}


{% macro described_columns() %}
    (
    {%- for column in model.columns.values() %}
        {{ adapter.quote(column.name) }} {{ column.data_type }}
        {%- if column.description %} comment {{ text_literal(column.description) }}{% endif %}
        {{- ',' if not loop.last }}
    {%- endfor %}
    )
{% endmacro %}


{% macro clickhouse__persist_docs(relation, model, for_relation, for_columns) %}
    {%- set fresh = model.config.materialized == 'view' -%}
    {%- set known = {} if fresh else comments_of(relation) -%}
    {%- set changes = [] -%}
    {%- if for_relation and config.persist_relation_docs() and model.description != known.get('', '') -%}
        {%- do changes.append('modify comment ' ~ text_literal(model.description)) -%}
    {%- endif -%}
    {%- if for_columns and config.persist_column_docs() -%}
        {%- for column in model.columns.values() if column.description != known.get(column.name, '') -%}
            {%- do changes.append(
                'comment column ' ~ adapter.quote(column.name) ~ ' ' ~ text_literal(column.description)
            ) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if changes -%}
        {%- do run_query('alter table ' ~ relation ~ ' ' ~ on_cluster_clause(relation) ~ ' ' ~ changes | join(', ')) -%}
    {%- endif -%}
{% endmacro %}


{% macro comments_of(relation) %}
    {#- The comment of each column by its name, and the relation's own by the empty one. -#}
    {%- set place = "where database = '" ~ relation.schema ~ "' and table = '" ~ relation.identifier ~ "'" -%}
    {%- set found = run_query(
        "select name, comment from system.columns " ~ place ~ " union all select '', comment from system.tables " ~ place
    ) -%}
    {%- set comments = {} -%}
    {%- for row in found.rows -%}
        {%- do comments.update({row[0] or '': row[1] or ''}) -%}
    {%- endfor -%}
    {{ return(comments) }}
{% endmacro %}


{% macro text_literal(text) %}
    {{- return("'" ~ text | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") -}}
{% endmacro %}
