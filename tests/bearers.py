"""The secrets of the instances that tests start, and the headers of those who know them."""

CHANGES_SECRET, CRON_SECRET = "changes-secret-of-the-tests", "cron-secret-of-the-tests"
METRICS_SECRET = "metrics-secret-of-the-tests"

CRON = {"authorization": f"Bearer {CRON_SECRET}"}
NOTICE = {"authorization": f"Bearer {CHANGES_SECRET}"}
