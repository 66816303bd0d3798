{#-
    Who was erased, row by row. Rows are joined by the 64-bit key, which is cheap to compute for every row. Keys of two
    people may be equal, so behind each stand all who have it, by the SHA-256 of their id, each with the own erasure.
-#}

{% macro erasures_by_key() %}
    select
        person_key,
        max(erasures.erased_at) as last_erased_at,
        mapFromArrays(groupArray(person), groupArray(erasures.erased_at)) as erased_at_of
    from {{ ref('stg_erased_users') }} as erasures
    group by person_key
{% endmacro %}


{% macro join_erased(rows) -%}
    left any join erased on cityHash64({{ rows }}.unit_type, {{ rows }}.user_id) = erased.person_key
{%- endmacro %}


{% macro not_erased(rows) %}
    {#-
        The condition on rows, joined with the CTE `erased`: received after their unit's erasure, if there was one. Who
        was never erased finds the first second of 1970. The hash is computed of the rows that the key leaves open.
    -#}
    {%- set own = rows ~ ".unit_type, '\\0', " ~ rows ~ ".user_id" -%}
    (
        {{ rows }}.received_at > erased.last_erased_at
        or {{ rows }}.received_at > erased.erased_at_of[SHA256(concat({{ own }}))]
    )
{% endmacro %}
