"""The kinds of faults of a demo: our name for each by the simulators' own, and each in words."""

from __future__ import annotations

from collections.abc import Mapping

CALLS = {
    "expire_sync_token": "google_410",
    "touch_before_patch": "google_412",
    "server_error": "google_5xx",
    "rate_limited": "google_rate_limit",
    "token_refused": "google_401",
    "malformed_sync_token": "google_bad_sync_token",
    "short_page": "google_short_page",
    "empty_page": "google_empty_page",
    "slow": "google_slow",
    "cut_body": "google_cut",
    "lost_answer": "google_answer_lost",
    "token_server_error": "token_5xx",
    "token_rate_limited": "token_429",
}
BATCHES = {
    "batch_disorder": "batch_disorder",
    "batch_part_missing": "batch_part_missing",
    "batch_wrong_id": "batch_wrong_id",
    "batch_truncated": "batch_truncated",
    "batch_html": "batch_html",
    "batch_502": "batch_502",
    "batch_429": "batch_429",
    "batch_413": "batch_413",
    "batch_403": "batch_403",
    "batch_401": "batch_401",
}
GOOGLE = CALLS | BATCHES
"""What the simulated Google's control face calls faults."""
QUOTAS = {
    "user_per_minute": "google_user_quota",
    "project_per_minute": "google_project_quota",
    "calendar_writes": "google_write_pace",
    "project_per_day": "google_day_spent",
    "use_limit": "google_use_limit",
}
"""What a limit of the simulated Google refused, by the limit."""
HEAVY_PATCH = "google_heavy_patch"
"""Patches while each counts for three requests."""
VENDOR = {
    "slow": "provider_slow",
    "server_error": "provider_5xx",
    "too_many": "provider_429",
    "lost_answer": "answer_lost",
}
CHANGES = {"lost": "told_lost", "doubled": "told_twice"}
"""What happened to the vendor's own calls about changes."""
CALENDAR_LOST = "calendar_lost"
CALENDAR_NARROWED = "calendar_narrowed"
GRANT_REVOKED = "grant_revoked"
SUBJECT_SUSPENDED = "subject_suspended"
SUBJECT_RENAMED = "subject_renamed"
DELEGATION_WITHDRAWN = "delegation_withdrawn"
DELEGATION_SPREADING = "delegation_spreading"
ACCESS = (
    CALENDAR_LOST,
    CALENDAR_NARROWED,
    GRANT_REVOKED,
    SUBJECT_SUSPENDED,
    SUBJECT_RENAMED,
    DELEGATION_WITHDRAWN,
    DELEGATION_SPREADING,
)
"""Access that is taken away and given back."""
KILLED = "worker_killed"
MESSAGE_LOST, MESSAGE_DOUBLED = "message_lost", "message_doubled"
"""What happened to Google's messages of changes."""

_CALLS_IN_WORDS = {
    "google_410": ("expired sync token", "expired sync tokens"),
    "google_412": ("edit just before a patch", "edits just before a patch"),
    "google_5xx": ("error of Google's", "errors of Google's"),
    "google_rate_limit": ("rate limit", "rate limits"),
    "google_401": ("token refused", "tokens refused"),
    "google_bad_sync_token": ("sync token not understood", "sync tokens not understood"),
    "google_short_page": ("short page", "short pages"),
    "google_empty_page": ("empty page", "empty pages"),
    "google_slow": ("slow answer", "slow answers"),
    "google_cut": ("answer cut off", "answers cut off"),
    "google_answer_lost": ("answer to a write lost", "answers to writes lost"),
    "token_5xx": ("error of the token endpoint", "errors of the token endpoint"),
    "token_429": ("refusal of the token endpoint", "refusals of the token endpoint"),
}
_BATCHES_IN_WORDS = {
    "batch_disorder": ("answered in another order", "answered in another order"),
    "batch_part_missing": ("with an answer missing", "with an answer missing"),
    "batch_wrong_id": ("with a wrong id", "with a wrong id"),
    "batch_truncated": ("that breaks off", "that break off"),
    "batch_html": ("answered by a web page", "answered by a web page"),
    "batch_502": ("answered 502", "answered 502"),
    "batch_429": ("answered 429", "answered 429"),
    "batch_413": ("answered 413", "answered 413"),
    "batch_403": ("answered 403", "answered 403"),
    "batch_401": ("answered 401", "answered 401"),
}
_QUOTAS_IN_WORDS = {
    "google_user_quota": ("call above a user's quota", "calls above a user's quota"),
    "google_project_quota": ("call above the project's quota", "calls above the project's quota"),
    "google_write_pace": ("write too fast for its calendar", "writes too fast for their calendar"),
    "google_day_spent": ("call after the day's last", "calls after the day's last"),
    "google_use_limit": ("write above a user's use limit", "writes above a user's use limit"),
    HEAVY_PATCH: ("patch that counted for three", "patches that counted for three"),
}
_PROVIDERS_IN_WORDS = {
    "provider_slow": ("slow answer", "slow answers"),
    "provider_5xx": ("error", "errors"),
    "provider_429": ("refusal (429)", "refusals (429)"),
    "answer_lost": ("lost answer", "lost answers"),
    "told_lost": ("call about a change lost", "calls about changes lost"),
    "told_twice": ("call about a change doubled", "calls about changes doubled"),
}
_ACCESS_IN_WORDS = {
    CALENDAR_LOST: ("refusal of a calendar", "refusals of a calendar"),
    CALENDAR_NARROWED: ("look that saw free and busy only", "looks that saw free and busy only"),
    GRANT_REVOKED: ("refusal of a revoked grant", "refusals of a revoked grant"),
    SUBJECT_SUSPENDED: ("refusal of a suspended user", "refusals of a suspended user"),
    SUBJECT_RENAMED: ("refusal of a renamed user", "refusals of a renamed user"),
    DELEGATION_WITHDRAWN: ("refusal for want of delegation", "refusals for want of delegation"),
    DELEGATION_SPREADING: (
        "refusal of a delegation on its way",
        "refusals of a delegation on its way",
    ),
}
_MESSAGES_IN_WORDS = {
    MESSAGE_LOST: ("lost", "lost"),
    MESSAGE_DOUBLED: ("that came twice", "that came twice"),
}
SPOKEN: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Google": _CALLS_IN_WORDS,
    "Google's batches": _BATCHES_IN_WORDS,
    "Google's quotas": _QUOTAS_IN_WORDS,
    "Google's messages": _MESSAGES_IN_WORDS,
    "The provider": _PROVIDERS_IN_WORDS,
    "Access taken away and given back": _ACCESS_IN_WORDS,
    "The worker": {KILLED: ("kill", "kills")},
}
"""Our names in words, for one and for several, by whose faults they are."""
