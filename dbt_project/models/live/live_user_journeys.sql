{% set open_at = '(select open_from.open_at from ' ~ ref('open_from') ~ ' as open_from)' -%}

{{ grown_journeys_rows(open_at) }}
