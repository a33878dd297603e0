"""Settings come from the environment, and say precisely what is wrong with it."""

import pytest

from cdn import settings
from cdn.errors import SettingError
from cdn.settings import NoticeUploadSettings

ENVIRON = {
    "UPLOAD_BUCKETS": "site,media",
    "DEAD_LETTERS_URL": "https://sqs/dead",
    "LEDGER_TABLE": "ledger",
    "FLUSH_CLOCK_URL": "https://sqs/flush",
    "QUIET_PERIOD_S": "2",
    "LONGEST_WAIT_S": "60",
}


class TestRead:
    def test_whole(self):
        """
        Each field is its variable, a number or a list where it is one.
        """
        assert settings.read(NoticeUploadSettings, ENVIRON) == NoticeUploadSettings(
            upload_buckets=("site", "media"),
            dead_letters_url="https://sqs/dead",
            ledger_table="ledger",
            flush_clock_url="https://sqs/flush",
            quiet_period_s=2,
            longest_wait_s=60,
        )

    @pytest.mark.parametrize("text", ["", "two", "-1", "2.5"])
    def test_bad_number(self, text):
        """
        What is no whole number is refused by its variable's name.
        """
        with pytest.raises(SettingError, match="QUIET_PERIOD_S"):
            settings.read(NoticeUploadSettings, ENVIRON | {"QUIET_PERIOD_S": text})
