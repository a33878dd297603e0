"""Settings come from the environment, and say precisely what is wrong with it."""

import pytest

from cdn import settings
from cdn.errors import SettingError
from cdn.settings import CollectChangesSettings

ENVIRON = {
    "UPLOAD_BUCKETS": "site,media",
    "DEAD_LETTERS_URL": "https://sqs/dead",
    "LEDGER_TABLE": "ledger",
    "FLUSH_TIMERS_URL": "https://sqs/flush",
    "QUIET_PERIOD_S": "2",
    "MAX_WAIT_S": "60",
    "METRICS_NAMESPACE": "autopilot",
}


class TestRead:
    def test_whole(self):
        """
        Each field is its variable, a number or a list where it is one.
        """
        assert settings.read(CollectChangesSettings, ENVIRON) == CollectChangesSettings(
            upload_buckets=("site", "media"),
            dead_letters_url="https://sqs/dead",
            ledger_table="ledger",
            flush_timers_url="https://sqs/flush",
            quiet_period_s=2,
            max_wait_s=60,
            metrics_namespace="autopilot",
        )

    @pytest.mark.parametrize("text", ["", "two", "-1", "2.5"])
    def test_bad_number(self, text):
        """
        What is no whole number is refused by its variable's name.
        """
        with pytest.raises(SettingError, match="QUIET_PERIOD_S"):
            settings.read(CollectChangesSettings, ENVIRON | {"QUIET_PERIOD_S": text})
