{{ interruptions_rows(source('ingestion', 'experiments')) }}
