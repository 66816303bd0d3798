with entered as (

    select
        $__timeInterval(first_exposed_at) as entered_at,
        variant_key,
        count() as units
    from live_first_exposures
    where
        experiment_id in (select experiment_id from stg_experiments where experiment_key = ${experiment:sqlstring})
    group by entered_at, variant_key

),

places as (

    select
        times.entered_at as entered_at,
        variants.variant_key as variant_key
    from (select distinct entered_at from entered) as times
    cross join (select distinct variant_key from entered) as variants

),

shares as (

    select
        places.entered_at as time,
        places.variant_key as variant_key,
        sum(entered.units) over (partition by places.variant_key order by places.entered_at)
        / sum(entered.units) over (order by places.entered_at) as share
    from places
    left join entered
        on places.entered_at = entered.entered_at and places.variant_key = entered.variant_key

)

select
    time,
    variant_key,
    share
from shares
where $__timeFilter(time)
order by time, variant_key
