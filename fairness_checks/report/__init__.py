"""Records as text: these modules render verdicts and decide nothing."""
