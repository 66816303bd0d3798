with links as (

    select
        unit_type,
        anonymous_id,
        user_id,
        linked_at,
        received_at
    from {{ source('ingestion', 'user_links') }} final

),

erased as (

    select
        person,
        max(erasures.erased_at) as erased_at
    from {{ ref('stg_erased_users') }} as erasures
    group by person

)

select
    links.unit_type as unit_type,
    links.anonymous_id as anonymous_id,
    links.user_id as user_id,
    links.linked_at as linked_at,
    links.received_at as received_at
from links
left any join erased
    on SHA256(concat(links.unit_type, '\0', links.user_id)) = erased.person
left any join erased as erased_anonymous
    on SHA256(concat(links.unit_type, '\0', links.anonymous_id)) = erased_anonymous.person
-- An id that was never erased joins as the first second of 1970.
where
    links.received_at > erased.erased_at
    and links.received_at > erased_anonymous.erased_at
