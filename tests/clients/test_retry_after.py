"""Whatever a server says about coming back, the wait is between nothing and a day."""

from datetime import UTC, datetime

import pytest

from syncer.clients.retry_after import retry_after_seconds

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-5", 0.0),
        ("1e9", 86_400.0),
        ("inf", 86_400.0),
        ("nan", None),
        ("Tue, 01 Dec 2026 09:02:00 GMT", 120.0),
        ("Tue, 01 Dec 2020 09:02:00 GMT", 0.0),
        ("2026-12-01T09:02:00Z", 120.0),
        ("2026-12-01T10:02:00+01:00", 120.0),
        ("2026-12-02T00:00:00", 54_000.0),
        ("9999-12-31T23:59:59Z", 86_400.0),
        ("soon", None),
        ("", None),
        ("1" * 5000, None),
        (None, None),
    ],
)
def test_the_wait_is_read_and_bounded(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, now=NOW) == seconds
