"""The loops: taking and keeping leases, sweeping, pushing, and ending well."""
