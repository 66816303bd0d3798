{{ config(order_by='(experiment_id, version, variant_key)') }}

{{ exposure_stages_rows(ref('assigned_units'), ref('exposed_units'), ref('user_journeys')) }}
