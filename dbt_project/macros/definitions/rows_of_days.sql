{% macro rows_of_days(relation, column) %}
    {#- The relation's rows of the days that this build rebuilds. column: the rows' day. -#}
    (
        select *
        from {{ relation }}
        where {{ only_days(column) }}
    )
{%- endmacro %}
