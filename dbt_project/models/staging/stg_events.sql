-- depends_on: {{ ref('set_aside') }}
{{ staged_events_rows(source('ingestion', 'events_processed'), whole=true) }}
