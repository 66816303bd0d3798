"""What each field and parameter of the API is: its meaning, unit and range, by the one name that it has everywhere.

A schema's own description of a field goes before these. `Schema.field` goes before `field`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from api.http.glossary_of_results import RESULTS
from neonblue.contract.metric_types import METRIC_TYPES

*_FIRST, _LAST = METRIC_TYPES

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        # An experiment
        "key": "The name in addresses and code, unique, fixed once made: letters, digits and . _ -, at most 256",
        "name": "What people call it",
        "hypothesis": "What is expected to happen, and why",
        "owner": "The person or team to ask",
        "tags": "Words to find it by, at most 20",
        "ExperimentIn.source": (
            "internal: this API assigns the units; external: another system did, and its assignments are sent here"
        ),
        "source": "internal: this API assigns the units; external: another system did",
        "unit_type": "What is assigned and counted: user, or a word of your own such as device or account",
        "population": (
            "Who is analysed: exposed, the units that met their variant; assigned, all that were given one"
        ),
        "status": "Where the experiment stands: draft, scheduled, running, paused, concluded or archived",
        "salt": "Decides who gets what: experiments with equal salts divide their units alike; fixed at the start",
        "allocation": "The share of traffic that enters, in basis points: 10000 are 100 %, 1000 are 10 %, 0 is nobody",
        "layer": "The experiments of one layer share no unit; null: it runs beside all others",
        "targeting": "A CEL expression over `attributes`, true for the units that may enter; null: all may",
        "variants": "The arms, in the order in which the traffic is divided; exactly one is the control",
        "metrics": "What is measured on each unit, at most 100: defined here, or named from the catalogue",
        "planned_days": "How many days it is to run, 1 to 3650; null: not planned",
        "planned_units": "How many units are to enter, over all arms; null: not planned",
        "scheduled_start_at": "When a scheduled experiment starts by itself",
        "scheduled_stop_at": "When a running experiment concludes by itself; null: never",
        "ExperimentPatch.decision": "What was decided; only once it is concluded",
        "ExperimentOut.decision": "What the team decided; null: nothing yet",
        "ExperimentAnswer.decision": "What the team decided; null: nothing yet",
        "ExperimentOut.id": "The experiment's number",
        "ExperimentAnswer.id": "The experiment's number",
        "enrolment": "open; closed: no new unit enters, and those that are in keep their variant",
        "outside": "What a unit gets that is left out: control, or null for no variant",
        "release": "What its key gives once it is concluded; null: not concluded, or as the decision says",
        "ConclusionIn.release": "What the key gives from then on; absent: all of what ships, else the control for all",
        "ConclusionIn.reason": "Why: it stands beside the decision in the report and in the history",
        "ReleaseIn.variant_key": "The variant to release; the control: to nobody",
        "ReleasePut.variant_key": "The variant to release; the control: to nobody",
        "ReleaseOut.variant_key": "The variant that is released",
        "ReleaseOut.share": "To which share of the population, in basis points; those who had the variant come first",
        "ReleaseOut.population": "targeted: whom targeting means; everyone",
        "started_at": "When the first unit could enter; null: it never ran",
        "concluded_at": "When the last unit could enter; null: not concluded",
        "version": "Counts the changes, from 1",
        "created_at": "When it was made",
        "created_by": "Who made it: the kind of credential, its number and its name",
        # An arm
        "VariantIn.key": "The arm's name in assignments and results, unique in the experiment",
        "VariantOut.key": "The arm's name in assignments and results",
        "weight": "The arm's part of the traffic beside the others': 1 and 1 are halves, 3 and 1 are 75 % and 25 %",
        "is_control": "Whether the other arms are compared with this one",
        "active": "Whether units enter it; false: it was dropped, and its part of the traffic enters nowhere",
        "payload": (
            "An object that the application reads once it knows the variant, at most 64 KiB. OpenFeature reads "
            '`value` where it holds nothing else, else the object, and the key of an arm without. {"value": null}: '
            "the application's own default"
        ),
        "LayerIn.key": "The layer's key",
        "LayerIn.share": "The part of the layer's traffic to hold, in basis points: 5000 are 50 %",
        # A decision, a step, a version
        "outcome": "ship one variant to all, roll_back to the control, or inconclusive",
        "DecisionIn.reason": "Why: it stands beside the decision in the report and in the history",
        "DecisionOut.variant_key": "Which variant is shipped; null where the outcome is another",
        "DecisionOut.reason": "Why, in the words of whoever decided",
        "decided_by": "Who recorded it; null where it was recorded before this was kept",
        "decided_at": "When it was recorded; null where it was recorded before this was kept",
        "reason": "Why, in words",
        "StepIn.reason": "Why; kept with the version",
        "HoldoutPatch.reason": "Why; kept in the audit log",
        "MetricPatch.reason": "Why; kept in the audit log",
        "NewMetricVersion.reason": "Why; kept with the version",
        "VersionOut.version": "Which version the change made, from 1",
        "VersionOut.action": "What was done: create, change, or the step that was taken",
        "VersionOut.difference": "Each field that changed, with its value before and after",
        "DueOut.key": "The experiment's key",
        "DueOut.step": "The step that was due",
        "DueOut.status": "Where the experiment stands after it",
        "DueOut.version": "The experiment's version after it",
        "DueOut.code": "Why the step could not be taken, by a name that never changes its meaning; null: it was",
        # A metric
        "CatalogueMetricIn.key": "The metric's name in experiments and results, unique in the catalogue",
        "CatalogueMetricOut.key": "The metric's name in experiments and results",
        "InlineMetric.key": "The metric's name in this experiment and its results",
        "MetricReference.key": "The key of a metric of the catalogue",
        "MetricReference.version": "Which version of its meaning; null: the newest",
        "InlineMetric.version": "Always 1: a metric of the experiment's own has one version",
        "MetricOut.key": "The metric's name in results",
        "MetricVersionOut.key": "The metric's name in experiments and results",
        "description": "What it tells, for those who choose it",
        "type": f"{', '.join(_FIRST)} or {_LAST}: what is made of each unit's events",
        "role": "primary: decides; secondary: is shown; guardrail: may not get worse than its margin",
        "direction": "Which way is better: increase or decrease",
        "event_type": "The events that are looked at",
        "property_filter": "Only events whose properties have all of these values; null: all events of the type",
        "aggregation": "any: whether there is such an event; count: how many; sum: the sum of their value",
        "denominator": "What a ratio divides by; null for all other types",
        "window_start_seconds": "From when after a unit's first exposure its events count, in seconds",
        "window_seconds": "Until when after a unit's first exposure its events count, in seconds; null: for ever",
        "cap": "A unit's total counts at most this much, in the metric's unit; null: no cap",
        "cap_percentile": "A unit's total counts at most this percentile of all arms together, 0 to 1; null: no cap",
        "quantile": "Which quantile of the units' totals is compared, 0 to 1: 0.5 is the median; of quantiles alone",
        "minimum_effect": "The smallest relative lift of interest: 0.02 is 2 %; null: none is named",
        "margin": "How much worse a guardrail may get and still hold: 0.02 is 2 % where relative; null: not at all",
        "margin_relative": "Whether the margin is relative to control's mean, or in the metric's own unit",
        "cuped": "Whether what a unit did before its exposure is used to reduce the variance",
        "missing": "What a unit without such an event has: zero, or no value (exclude), and the metric leaves it out",
        "in_use": "Whether an experiment refers to this version, so that its meaning can't change",
        # Layers, holdouts, testers
        "LayerOut.version": "Counts the changes, from 1; the ETag",
        "start": "The first basis point of the slot, 0 to 9999",
        "end": "The basis point after the slot's last one, 1 to 10000",
        "slots": "Who holds which part of the layer",
        "free": "What nobody holds, in basis points",
        "SlotsOut.experiment": "The key of the experiment that holds it",
        "HoldoutNew.share": "The share of traffic that sees no experiment, in basis points: 200 are 2 %",
        "HoldoutPatch.share": "The share of traffic that sees no experiment, in basis points: 200 are 2 %",
        "HoldoutOut.share": "The share of traffic that sees no experiment, in basis points: 200 are 2 %",
        "HoldoutOut.version": "Counts the changes, from 1; the ETag",
        "ForcedVariantIn.variant_key": "The variant that the tester sees",
        "ForcedVariantOut.variant_key": "The variant that the tester sees",
        # Lists
        "items": "The items, in the order that the call names",
        "next_cursor": "Send it as `cursor` for the next page; null: this was the last",
        "AssignmentsAnswer.items": "One answer for each item, in the order of the request",
        "EventsAnswer.items": "What became of each event, in the order of the request",
        # Assignments and events
        "user_id": "The unit's id as the client knows it, 1 to 256 characters",
        "experiment": "The experiment's key",
        "AssignmentRequest.experiment": "The experiment's key; absent: every running one of the unit's type",
        "experiment_id": "The experiment's number",
        "attributes": "What is known of the unit: read by targeting, and kept with the assignment for segments",
        "AttributesIn.attributes": "What is known of the person, in place of what was: country, plan, …",
        "expose": "Whether the unit meets its variant now; absent: it does where one experiment is named",
        "shown_variant": "What the unit was shown before the call; another one that is stored stands and is counted",
        "variant_key": "The variant's key",
        "AssignmentRequest.variant_key": "The variant that another system gave; of external experiments alone",
        "AssignmentRequest.timestamp": "When it was given; of external experiments alone",
        "AssignmentAnswer.variant_key": "The unit's variant; null: it gets none, and `reason` says why",
        "AssignmentAnswer.version": "The experiment's version that gave the variant",
        "assigned_at": "When the unit got its variant",
        "exposed_at": "When the unit first met its variant; null: not yet",
        "created": "Whether this call gave the variant; false: it was given before",
        "AssignmentAnswer.reason": "Why the unit has the variant, or none: not_targeted, holdout, paused, released, …",
        "served_by": (
            "release: what was decided; control: what those get whom the experiment leaves out, and all while it does "
            "not run. Neither is an exposure. Absent: the experiment"
        ),
        "in_experiment": (
            "Whether the experiment itself gives the variant; false: nothing is stored, and using it is no exposure. "
            "True where absent"
        ),
        "durable": (
            "Whether what the call was to store is stored; false: send the exposure as an event, again and again until "
            "it is stored. True where absent"
        ),
        "AssignmentAnswer.status": "rejected where the item broke a rule; absent otherwise",
        "index": "The item's place in the request, from 0",
        "code": "Which rule was broken, by a name that never changes its meaning",
        "field": "The field that is to blame; null: none alone",
        "message": "What is wrong in words, and what to do",
        "EventRequest.id": "A UUID, the same on each repetition: an event counts once. Absent: made here",
        "EventItem.id": "The event's id, as sent or made here",
        "EventRequest.event_type": "What happened: a word of your own, or exposure",
        "EventRequest.experiment": "Where it counts; absent: in every experiment that its unit was exposed to",
        "EventRequest.experiment_id": "The number of the experiment, in place of its key",
        "EventRequest.variant_key": "The variant that the unit saw; analysis goes by the stored assignment",
        "EventRequest.value": "An amount: up to 18 digits, 6 of them after the point, best as a text",
        "EventRequest.configuration_version": (
            "On an exposure: the experiment's version under which the client worked out the variant"
        ),
        "timestamp": "When it happened, with a time zone; absent: now",
        "session_id": "The visit that it belongs to",
        "properties": "More about the event: texts, numbers, true, false, for filters and segments",
        "accepted": "How many were stored",
        "duplicates": "How many had been stored before; they count once",
        "EventsAnswer.rejected": "How many broke a rule",
        "context": "The targeting key, and attributes beside it",
        "targetingKey": "The unit's id",
        # People
        "anonymous_id": "The id before the person was known",
        "adopted": "The keys of the experiments in which the person took over the anonymous id's variant",
        "conflicts": "The experiments in which the two ids have different variants",
        "anonymous_variant": "The anonymous id's variant",
        "user_variant": "The person's variant",
        "linked_to": "The person to whom this anonymous id belongs; null: to none",
        "Receipt.id": "The receipt's number",
        "Receipt.unit_type": "What was erased: user, or a word of your own",
        "state": "removing: under way; retained: only what retention must forget is left; closed: nothing is",
        "removed": "What was removed, where and when",
        "Receipt.pending": "What still holds the person, and until when",
        "closed_at": "When nothing was left; null: something is",
        "store": "Which store: postgresql, valkey, clickhouse, outbox or topic",
        "rows": "How many; null where nobody counts",
        "Removed.at": "When",
        "until": "Until when at the latest; null: that depends on another part",
        "checked": "How many open erasures were looked at",
        "closed": "The receipts that are closed now",
        "Verification.pending": "The receipts that are not",
        # Access
        "TokenOut.id": "The token's number",
        "NewToken.id": "The token's number",
        "TokenIn.name": "What or whom the token is for",
        "hint": "The secret's first characters",
        "scopes": "What it may do: admin, editor, viewer, ingest, assign",
        "origins": "The web origins that it may be used from; null: it is a secret, and no page may hold it",
        "rate_limit": "Requests a second; null: the API's setting",
        "expires_at": "When it ends; null: never",
        "revoked_at": "When it was revoked; null: it was not",
        "last_used_at": "When it was used last, to the minute; null: never",
        "secret": "The token itself: shown this once",
        "token": "A token that a person may log in with: of the scope admin, editor or viewer",
        "csrf_token": "To send as X-CSRF-Token with every change",
        "AuditEntry.id": "The entry's number: each holds the hash of the one before",
        "AuditEntry.at": "When",
        "actor": "Who: the kind of credential, its number and its name; unknown: no token of ours, or none at all",
        "address": "From which address; null: not over the network, or many calls of several",
        "request_id": "The request's number, as in the header X-Request-Id",
        "AuditEntry.action": "What was done: create, change, read, export, log_in, read_calls, refused_calls, …",
        "object_type": "To what kind of thing; route: to many calls of one kind",
        "object_id": "To which one; a person: by a hash that nobody can lead back after its erasure",
        "before": "It, before; null: there was none, or nothing changed",
        "after": "It, after; null: there is none any more. Of many calls: how many, of which status, from when to when",
        "hash": "SHA-256 over this entry and the hash of the one before",
        # Health of the API, problems
        "Alive.status": "Always ok",
        "ready": "Whether events can be stored",
        "components": "The state of each part: ok, or what is wrong with it",
        "pipeline_lag_bytes": "How many bytes of PostgreSQL's log the stream has yet to read",
        "ProblemOut.type": "The code as a URN",
        "ProblemOut.title": "The status in words",
        "ProblemOut.status": "The HTTP status",
        "detail": "What is wrong in words, and what to do",
    }
    | RESULTS
)

SCHEMAS: Mapping[str, str] = MappingProxyType(
    {
        "Part[FunnelItem]": "How many units of each arm reached each step.",
        "Part[JourneyItem]": "The paths that most units of each arm went.",
        "Part[AppVersionItem]": "Units and conversions by version of the app.",
        "Part[CohortItem]": "Who came back, by day of the first exposure.",
        "Part[RevenueItem]": "What each arm brought in.",
    }
)
"""Of schemas that are made by filling in another one."""

PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "key": "The key",
        "status": "Any of these",
        "tag": "With this tag",
        "owner": "Of this owner",
        "layer": "In the layer of this key",
        "type": "Of this type",
        "user_id": "The unit's id",
        "unit_type": "The unit's type; absent: user",
        "interval": "Rows by UTC hour or day",
        "of": "Which table is written where JSON is not asked for: events, or each metric's difference",
        "limit": "The most items",
        "report_id": "The report's number",
        "token_id": "The token's number",
        "erasure_id": "The receipt's number",
        "actor": "By this actor",
        "action": "With this action",
        "object_type": "On this kind of thing",
        "object_id": "On this thing",
        "request_id": "Of this request",
    }
)
