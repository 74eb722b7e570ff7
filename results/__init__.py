"""So what: ledger to tables to figures to report."""
