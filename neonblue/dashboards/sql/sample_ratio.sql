with newest as (

    select
        stage,
        variant_key,
        units,
        p_value,
        broken,
        weight / sum(weight) over (partition by stage, version)
        * sum(units) over (partition by stage, version) as planned_units
    from sample_ratio_stages
    where
        experiment_key = ${experiment:sqlstring}
        and computed_at = (
            select max(computed_at) from sample_ratio_stages where experiment_key = ${experiment:sqlstring}
        )

)

select
    stage,
    variant_key,
    sum(units) as reached,
    sum(planned_units) as planned,
    any(p_value) as p,
    toUInt8(max(broken)) as first_broken
from newest
group by stage, variant_key
order by indexOf(['assigned', 'exposed', 'ingested', 'analysed'], stage), variant_key
