-- depends_on: {{ ref('set_aside') }}
{{ staged_events_rows(source('ingestion', 'recent_events')) }}
