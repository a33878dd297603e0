"""Settings come from the environment, and say precisely what is wrong with it."""

import pytest

from cdn import settings
from cdn.errors import SettingError
from cdn.settings import NoticeUploadSettings

ENVIRON = {
    "LEDGER_TABLE": "ledger",
    "FLUSH_CLOCK_URL": "https://sqs/flush",
    "QUIET_PERIOD_S": "2",
    "LONGEST_WAIT_S": "60",
}


class TestRead:
    def test_whole(self):
        """
        Each field is its variable, a whole number where it is one.
        """
        assert NoticeUploadSettings("ledger", "https://sqs/flush", 2, 60) == settings.read(
            NoticeUploadSettings, ENVIRON
        )

    @pytest.mark.parametrize("text", ["", "two", "-1", "2.5"])
    def test_bad_number(self, text):
        """
        What is no whole number is refused by its variable's name.
        """
        with pytest.raises(SettingError, match="QUIET_PERIOD_S"):
            settings.read(NoticeUploadSettings, ENVIRON | {"QUIET_PERIOD_S": text})
