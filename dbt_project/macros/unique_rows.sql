{% test unique_rows(model, columns) %}
{# The grain: no two rows share these columns. #}
select
    {{ columns | join(', ') }},
    count() as copies
from {{ model }}
group by {{ columns | join(', ') }}
having copies > 1
{% endtest %}
