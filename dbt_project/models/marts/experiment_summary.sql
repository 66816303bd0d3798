{{ config(order_by='(experiment_id, variant_key)') }}

{{ experiment_summary_rows(
    ref('stg_experiments'),
    ref('stg_variants'),
    ref('first_exposures'),
    ref('daily_metrics'),
    ref('converted_units')
) }}
