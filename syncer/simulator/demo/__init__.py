"""The demo: both simulators, the real worker, people who edit while faults happen, and a judge at the end."""
