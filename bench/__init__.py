"""How a suite is run: search, schedule, meter, record."""
