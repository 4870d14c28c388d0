from typing import Any

import pytest

from notifier.channels import open_channels
from services.errors import ConfigurationError
from services.settings import Settings

TWILIO = {"sms_provider": "twilio", "sms_account": "AC1", "sms_secret": "s", "sms_sender": "+15005550006"}
ALIYUN = {**TWILIO, "sms_provider": "aliyun", "sms_template": "SMS_1"}
HTTP = {"sms_provider": "http", "sms_url": "http://127.0.0.1:1", "sms_secret": "s"}


def settings(**values: Any) -> Settings:
    return Settings.model_validate({"database_url": "postgresql://x", "kafka": "127.0.0.1:1", "keyring": "x", **values})


async def test_without_settings_nothing_can_leave() -> None:
    async with open_channels(settings()) as channels:
        assert (channels.mail, channels.sms) == (None, None)


@pytest.mark.parametrize("values", [TWILIO, ALIYUN, HTTP])
async def test_every_provider_can_be_chosen(values: dict[str, str]) -> None:
    async with open_channels(settings(smtp_url="smtp://127.0.0.1:1?tls=none&connections=2", **values)) as channels:
        assert channels.mail is not None
        assert channels.sms is not None
        assert (channels.mail.connections, channels.sms.provider) == (2, values["sms_provider"])


@pytest.mark.parametrize("values", [TWILIO, ALIYUN, HTTP])
async def test_what_a_provider_needs_is_named(values: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="HUIFANG_SMS_SECRET"):
        async with open_channels(settings(**{**values, "sms_secret": None})):
            pass


async def test_a_sender_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="HUIFANG_MAIL_FROM"):
        async with open_channels(settings(mail_from="Desk <desk@example.com>")):
            pass
