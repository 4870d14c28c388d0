import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.errors import ConfigurationError
from services.settings import Settings, read_settings, unknown_variables

LEAST = {
    "HUIFANG_DATABASE_URL": "postgresql://huifang:hunter2@db:5432/huifang",
    "HUIFANG_KAFKA": "one:9092, two:9092",
    "HUIFANG_KEYRING": "k1:AAAA",
}


def test_the_least_is_enough() -> None:
    settings = read_settings(LEAST)
    assert settings.kafka == "one:9092,two:9092"
    assert settings.port is None
    assert settings.database_url.get_secret_value() == LEAST["HUIFANG_DATABASE_URL"]
    assert "hunter2" not in repr(settings)


def test_everything_can_be_said_by_the_environment() -> None:
    settings = read_settings(
        {
            **LEAST,
            "HUIFANG_PORT": "8080",
            "HUIFANG_DOCS": "false",
            "HUIFANG_SWEEP_PATIENCE": "PT10M",
            "HUIFANG_PUBLIC_URL": "https://ask.example.com/",
            "HUIFANG_SMTP_URL": "",
        }
    )
    assert (settings.port, settings.docs, settings.smtp_url) == (8080, False, None)
    assert settings.sweep_patience == timedelta(minutes=10)
    assert settings.public_url == "https://ask.example.com"


def test_overrides_win() -> None:
    assert read_settings({**LEAST, "HUIFANG_PORT": "1"}, port=2).port == 2


def test_what_is_missing_is_named_with_what_it_is_for() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_settings({})
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["HUIFANG_DATABASE_URL", "HUIFANG_KAFKA", "HUIFANG_KEYRING"]
    assert "is not set. postgresql://user:password@host:port/database" in lines[0]


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("HUIFANG_PORT", "http", "valid integer"),
        ("HUIFANG_PORT", "70000", "less than or equal to 65535"),
        ("HUIFANG_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("HUIFANG_DATABASE_URL", "mysql://user:hunter2@db/huifang", "must begin with postgresql://"),
        ("HUIFANG_KAFKA", "kafka", "must be host:port"),
        ("HUIFANG_KAFKA", "PLAINTEXT://kafka:9092", "must be host:port"),
        ("HUIFANG_PUBLIC_URL", "ask.example.com", "must begin with http:// or https://"),
        ("HUIFANG_SHUTDOWN_SECONDS", "0", "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(variable: str, value: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)) as caught:
        read_settings({**LEAST, variable: value})
    assert str(caught.value).startswith(f"{variable}: ")
    assert "hunter2" not in str(caught.value)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://from:file@db/huifang\n")
    environment = {**LEAST, "HUIFANG_DATABASE_URL": "", "HUIFANG_DATABASE_URL_FILE": str(file)}
    assert read_settings(environment).database_url == SecretStr("postgresql://from:file@db/huifang")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for file, told in ((tmp_path / "missing", "No such file"), (tmp_path / "binary", "not a text file")):
        with pytest.raises(ConfigurationError, match=f"HUIFANG_KEYRING_FILE: .*{told}"):
            read_settings({**LEAST, "HUIFANG_KEYRING": "", "HUIFANG_KEYRING_FILE": str(file)})


def test_a_variable_and_its_file_together_are_ambiguous() -> None:
    with pytest.raises(ConfigurationError, match="keep one of them"):
        read_settings({**LEAST, "HUIFANG_KEYRING_FILE": "/run/secrets/keyring"})


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"HUIFANG_PROT: .*There is no such setting"):
        read_settings(LEAST, prot=1)


def test_mistyped_variables_are_found() -> None:
    found = unknown_variables({**LEAST, "HUIFANG_PORT_FILE": "x", "HUIFANG_PROT": "1", "HOME": "/"})
    assert found == ["HUIFANG_PROT"]


def test_every_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
