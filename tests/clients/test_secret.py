"""A secret shows itself to nobody who does not ask by name."""

import logging
import pickle

import pytest

from syncer.clients.secret import Secret


def test_a_secret_never_shows_itself(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("canary")
    logging.getLogger("syncer").warning("%s %r", secret, [secret])
    assert "canary" not in f"{secret} {secret!r} {secret:>10} {[secret]} {caplog.text}"
    assert secret.reveal() == "canary"


def test_a_secret_is_not_written_down() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret("canary"))


def test_equal_secrets_are_equal() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
