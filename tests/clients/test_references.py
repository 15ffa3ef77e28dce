"""References reach one folder and one family of variables, and say what is wrong without showing what is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncer.clients.references import LIMIT_BYTES, References
from syncer.model.errors import OperatorError

Put = Callable[[str, Any], str]


async def test_a_file_below_the_folder_is_read(references: References, put: Put) -> None:
    secret = await references.read(put("ana.json", "the content"))
    assert secret.reveal() == "the content"
    assert "content" not in f"{secret} {secret!r}"


async def test_a_link_that_stays_inside_is_followed(references: References, put: Put, tmp_path: Path) -> None:
    put("real.json", "content")
    (tmp_path / "credentials" / "link.json").symlink_to("real.json")
    assert (await references.read("file:link.json")).reveal() == "content"


@pytest.mark.parametrize(
    "name", ["../secret", "a/../../secret", "/etc/passwd", "link", "linked/secret", ".", "a\0b", "..", "missing"]
)
async def test_a_path_out_of_the_folder_is_refused(references: References, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("content")
    (tmp_path / "credentials" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "credentials" / "linked").symlink_to(tmp_path)
    with pytest.raises(OperatorError, match="credential file:"):
        await references.read(f"file:{name}")


async def test_a_variable_with_the_prefix_is_read(references: References) -> None:
    assert (await references.read("env:TEST_KEY")).reveal() == "text"


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        ("env:HOME", "credential env:HOME is not allowed: the variable's name must begin with TEST_"),
        ("env:TEST_OTHER", "credential env:TEST_OTHER is not there: set the variable TEST_OTHER"),
        ("env:", "credential env: is not a reference: write file:NAME, env:NAME or sealed:NAME"),
        ("whsec_bm90IHNob3du", "credential whse… is not a reference: write file:NAME, env:NAME or sealed:NAME"),
        ("", "credential … is not a reference: write file:NAME, env:NAME or sealed:NAME"),
    ],
)
async def test_a_wrong_reference_is_told_in_a_sentence(references: References, reference: str, sentence: str) -> None:
    with pytest.raises(OperatorError) as caught:
        await references.read(reference)
    assert str(caught.value) == sentence


async def test_what_is_no_credential_is_not_shown(references: References, put: Put, tmp_path: Path) -> None:
    put("large", "x" * (LIMIT_BYTES + 1))
    (tmp_path / "credentials" / "binary").write_bytes(b"\xff\xfecanary")
    for name in ("large", "binary"):
        with pytest.raises(OperatorError) as caught:
            await references.read(f"file:{name}")
        assert caught.value.__context__ is None
        assert len(str(caught.value)) < 200


async def test_without_a_folder_no_file_is_read() -> None:
    with pytest.raises(OperatorError, match="no credentials folder is set"):
        await References(folder=None, env_prefix="TEST_", environ={}).read("file:ana.json")
