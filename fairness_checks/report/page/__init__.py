"""report.html: one page that shows what the evidence of a run says, and decides nothing."""
