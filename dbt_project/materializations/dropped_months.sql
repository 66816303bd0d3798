{#-
    Months of events that retention let go. What was built of them stays as it is, and is not built again: what is left
    of such a month, or comes for it late, is not what happened in it. What is made of other models alone is built as
    ever, so that an erased person goes from there, too.
-#}

{% macro dropped_months() %}
    {#- No source: nothing is built because a month went. -#}
    {{ return('(select first_day from ' ~ target.schema ~ ".dropped_periods where period = 'month')") }}
{% endmacro %}


{% macro in_dropped_month(day) %}
    {#- The condition that the UTC day is of such a month. -#}
    {{ return('toStartOfMonth(' ~ day ~ ') in ' ~ dropped_months()) }}
{% endmacro %}


{% macro not_counted_before() %}
    {#- The condition on a unit that it was not first exposed in such a month: it stays there, and is in no other day. -#}
    {%- if not execute or is_built_anew(this) -%}
        {{ return('1') }}
    {%- endif -%}
    (experiment_id, unit_type, user_id) not in (
        select
            known.experiment_id,
            known.unit_type,
            known.user_id
        from {{ this }} as known
        where {{ in_dropped_month('known.exposure_date') }}
    )
{% endmacro %}
