select
    table as table_name,
    sum(rows) as table_rows,
    sum(bytes_on_disk) as bytes,
    sum(data_uncompressed_bytes) / sum(data_compressed_bytes) as ratio,
    bytes / table_rows as bytes_per_row
from system.parts
where
    active
    and database in (currentDatabase(), concat(currentDatabase(), '_live'))
    and not startsWith(table, '.')
    and rows > 0
group by table_name
order by bytes desc
limit 20
