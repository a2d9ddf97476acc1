"""The figures of the dashboard and of exports: each with n, interval, coverage and suppression."""
